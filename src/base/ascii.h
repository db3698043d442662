/* Bytes as ASCII has them, whatever the locale. */
#ifndef BASE_ASCII_H
#define BASE_ASCII_H

#include <stdbool.h>

static inline bool ascii_is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static inline bool ascii_is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* A capital's small letter; any other byte is itself. */
static inline char ascii_lower(char byte)
{
    return (char)(byte >= 'A' && byte <= 'Z' ? (unsigned char)byte | 0x20U : (unsigned char)byte);
}

/* 0 to 15; -1: no hexadecimal digit. */
static inline int ascii_hex_value(char byte)
{
    if (ascii_is_digit(byte))
        return byte - '0';
    char letter = ascii_lower(byte);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* Of the lowest four bits. */
static inline char ascii_hex_digit(unsigned number)
{
    return "0123456789abcdef"[number & 0xf];
}

static inline char ascii_hex_digit_upper(unsigned number)
{
    return "0123456789ABCDEF"[number & 0xf];
}

#endif
