// JSON string bodies, byte for byte as Docker's json-file log writes them.
#pragma once
#include <stddef.h>

// Longest output for one input byte: `\u00XX`.
#define JSON_EXPANSION 6
// The output buffer needs this much room beyond the longest output: text is copied a word at a time.
#define JSON_SLACK 8

// Escapes `in` up to its end or its first newline, into `out`; sets `taken` to the bytes read, the newline not counted.
// Returns the bytes written, at most JSON_EXPANSION × length.
// Escapes `"` `\` `<` `>` `&`, controls, U+2028 and U+2029; each byte of invalid UTF-8 becomes `\ufffd`.
size_t json_escape_line(char *out, const char *in, size_t length, size_t *taken);
