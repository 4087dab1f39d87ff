/* Digits of the encodings that mail travels in: values of octets, -1 for what is none. */
#ifndef SG_MIME_DIGITS_H
#define SG_MIME_DIGITS_H

#include <stdint.h>

/* Both cases. */
static inline int sg_hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The alphabet of RFC 4648 §4, without the padding. */
static inline int sg_base64_digit(uint8_t c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

#endif
