#ifndef DRAGOMAN_CCURL_H
#define DRAGOMAN_CCURL_H
#include <curl/curl.h>
#endif
