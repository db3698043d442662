/* Classifies bytes as ASCII does, whatever the locale is. */
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

/* Turns a capital into its small letter and leaves any other byte as it is. */
static inline char ascii_lower(char byte)
{
    return (char)(byte >= 'A' && byte <= 'Z' ? (unsigned char)byte | 0x20U : (unsigned char)byte);
}

/* Returns 0 to 15, or -1 when the byte is no hexadecimal digit. */
static inline int ascii_hex_value(char byte)
{
    if (ascii_is_digit(byte))
        return byte - '0';
    char letter = ascii_lower(byte);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* Return the digit for the lowest four bits. */
static inline char ascii_hex_digit(unsigned number)
{
    return "0123456789abcdef"[number & 0xf];
}

static inline char ascii_hex_digit_upper(unsigned number)
{
    return "0123456789ABCDEF"[number & 0xf];
}

#endif
