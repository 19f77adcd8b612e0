#include "ccurl.h"

#include <sys/socket.h>

/* Bytes that one recv(2) can take, and one send(2) of a large body. A smaller receive buffer saves no memory:
 * of each, a stream of small events touches one page. */
enum { RECEIVE_BUFFER = 16 * 1024, SEND_BUFFER = 64 * 1024 };

/* Seconds after which an idle connection is not used again: below the 5 s after which uvicorn (vLLM, SGLang),
 * Node and cpp-httplib (llama.cpp) close theirs, perhaps just as the next request is on its way. */
enum { LONGEST_IDLE = 4 };

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)context;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

#define SET(option, value)                                      \
    do {                                                        \
        CURLcode code = curl_easy_setopt(easy, option, value);  \
        if (code != CURLE_OK) return code;                      \
    } while (0)

CURLcode cc_prepare(
    CURL *easy, const struct cc_transfer_callbacks *callbacks, void *context, void *close_context,
    char *errors, const char *proxy) {
    SET(CURLOPT_PRIVATE, context);
    SET(CURLOPT_ERRORBUFFER, errors);
    SET(CURLOPT_HEADERFUNCTION, (curl_write_callback)callbacks->header);
    SET(CURLOPT_HEADERDATA, context);
    SET(CURLOPT_WRITEFUNCTION, (curl_write_callback)callbacks->write);
    SET(CURLOPT_WRITEDATA, context);
    SET(CURLOPT_READFUNCTION, (curl_read_callback)callbacks->read);
    SET(CURLOPT_READDATA, context);
    SET(CURLOPT_SEEKFUNCTION, callbacks->seek);
    SET(CURLOPT_SEEKDATA, context);
    SET(CURLOPT_PREREQFUNCTION, callbacks->connected);
    SET(CURLOPT_PREREQDATA, context);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_CLOSESOCKETFUNCTION, callbacks->close_socket);
    SET(CURLOPT_CLOSESOCKETDATA, close_context);

    /* Neither signals nor waiting for a resolver thread when a transfer is removed. */
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_NOPROGRESS, 1L);

    /* What is asked goes where the configuration says and nowhere else: no proxy or exception from the
     * environment, no redirect, no other protocol, no password file. */
    SET(CURLOPT_PROXY, proxy);
    SET(CURLOPT_NOPROXY, "");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    /* What a proxy says to CONNECT is not the backend's answer. */
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);

    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTP_TRANSFER_DECODING, 1L);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TCP_KEEPIDLE, 60L);
    SET(CURLOPT_TCP_KEEPINTVL, 15L);
    SET(CURLOPT_MAXAGE_CONN, (long)LONGEST_IDLE);
    SET(CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)SEND_BUFFER);
    return CURLE_OK;
}

CURLcode cc_set_request(
    CURL *easy, CURLU *url, struct curl_slist *headers, int post, long connect_milliseconds) {
    SET(CURLOPT_CURLU, url);
    SET(CURLOPT_HTTPHEADER, headers);
    if (post) {
        SET(CURLOPT_POST, 1L);
    } else {
        SET(CURLOPT_HTTPGET, 1L);
    }
    SET(CURLOPT_CONNECTTIMEOUT_MS, connect_milliseconds);
    return CURLE_OK;
}

CURLcode cc_set_copied_body(CURL *easy, const void *bytes, size_t count) {
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
    SET(CURLOPT_COPYPOSTFIELDS, bytes);
    return CURLE_OK;
}

CURLcode cc_set_read_body(CURL *easy, size_t count) {
    SET(CURLOPT_POSTFIELDS, NULL);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
    return CURLE_OK;
}

CURLcode cc_drop_body(CURL *easy) {
    SET(CURLOPT_POSTFIELDS, NULL);
    return CURLE_OK;
}

void *cc_context(CURL *easy) {
    char *context = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &context) != CURLE_OK) return NULL;
    return context;
}

CURLcode cc_set_fresh(CURL *easy, int is_fresh) {
    SET(CURLOPT_FRESH_CONNECT, (long)is_fresh);
    return CURLE_OK;
}

int cc_used_kept_connections(CURL *easy) {
    long made = 1;
    return curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &made) == CURLE_OK && made == 0;
}

long cc_connect_status(CURL *easy) {
    long status = 0;
    return curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status) == CURLE_OK ? status : 0;
}

CURLMcode cc_prepare_multi(
    CURLM *multi, curl_socket_callback socket, curl_multi_timer_callback timer, void *context,
    long idle_connections) {
    CURLMcode code = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket);
    if (code == CURLM_OK) code = curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, context);
    if (code == CURLM_OK) code = curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer);
    if (code == CURLM_OK) code = curl_multi_setopt(multi, CURLMOPT_TIMERDATA, context);
    if (code == CURLM_OK) code = curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, idle_connections);
    if (code == CURLM_OK)
        code = curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    return code;
}
