/* libcurl for Swift: its variadic calls with types, and the options that are the same for every transfer.
 * Each function returns the first error of libcurl, or CURLE_OK / CURLM_OK. */
#ifndef DRAGOMAN_CCURL_H
#define DRAGOMAN_CCURL_H

#include <curl/curl.h>
#include <stddef.h>

/* What a transfer calls; `context` of cc_prepare comes back as the last argument. */
struct cc_transfer_callbacks {
    size_t (*header)(const char *bytes, size_t size, size_t count, void *context);
    size_t (*write)(const char *bytes, size_t size, size_t count, void *context);
    size_t (*read)(char *room, size_t size, size_t count, void *context);
    int (*seek)(void *context, curl_off_t offset, int origin);
    int (*connected)(void *context, char *, char *, int, int);
    int (*close_socket)(void *context, curl_socket_t socket);
};

/* Sets everything that does not change from request to request. `close_context` goes to close_socket,
 * which may be called after the transfer has ended. `errors` has CURL_ERROR_SIZE bytes. */
CURLcode cc_prepare(
    CURL *easy, const struct cc_transfer_callbacks *callbacks, void *context, void *close_context,
    char *errors, const char *proxy);

/* The request line and headers; `url` and `headers` must outlive the transfer. */
CURLcode cc_set_request(
    CURL *easy, CURLU *url, struct curl_slist *headers, int post, long connect_milliseconds);
/* A body that libcurl copies now. */
CURLcode cc_set_copied_body(CURL *easy, const void *bytes, size_t count);
/* A body of `count` bytes that libcurl reads through the callbacks. */
CURLcode cc_set_read_body(CURL *easy, size_t count);
/* Forgets a body that was copied; for handles set to POST. */
CURLcode cc_drop_body(CURL *easy);

/* Whether the next transfer makes a connection of its own instead of using one that was kept. */
CURLcode cc_set_fresh(CURL *easy, int is_fresh);

/* Whether the transfer that has ended made no connection of its own. */
int cc_used_kept_connections(CURL *easy);

/* The status of a proxy's answer to CONNECT; 0 = there was none. */
long cc_connect_status(CURL *easy);

/* The context given to cc_prepare. */
void *cc_context(CURL *easy);

CURLMcode cc_prepare_multi(
    CURLM *multi, curl_socket_callback socket, curl_multi_timer_callback timer, void *context,
    long idle_connections);

#endif
