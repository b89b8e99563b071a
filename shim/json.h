// JSON string bodies, byte for byte as Docker's json-file log writes them.
#pragma once
#include <stddef.h>

// Longest output for one input byte: `\u00XX`.
#define JSON_EXPANSION 6

// Escapes `length` bytes into `out`, which has room for JSON_EXPANSION × length bytes. Returns the bytes written.
// Escapes `"` `\` `<` `>` `&`, controls, U+2028 and U+2029; each byte of invalid UTF-8 becomes `\ufffd`.
size_t json_escape(char *out, const char *in, size_t length);
