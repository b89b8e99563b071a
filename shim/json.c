#include "json.h"

#include <stdint.h>
#include <string.h>

// What to do with a byte: copy it, write `\u00XX`, decode a UTF-8 sequence, or else write a backslash and that letter.
enum { PLAIN, HEX, MULTIBYTE };

// clang-format off
static const unsigned char actions[256] = {
    [0 ... '\r' - 1] = HEX, ['\r'] = 'r', ['\r' + 1 ... 0x1f] = HEX,
    ['"'] = '"', ['\\'] = '\\', ['<'] = HEX, ['>'] = HEX, ['&'] = HEX, [0x80 ... 0xff] = MULTIBYTE,
};
// clang-format on

#define EACH_BYTE(b) (0x0101010101010101ull * (b))

// Nonzero when some byte of the word equals `b` (exact as a yes/no test).
static inline uint64_t has_byte(uint64_t word, unsigned char b) {
  uint64_t x = word ^ EACH_BYTE(b);
  return (x - EACH_BYTE(0x01)) & ~x & EACH_BYTE(0x80);
}

// Copies the prefix that needs no escaping and returns its length. Eight bytes at a time are stored before they are
// looked at: what turns out to be special is overwritten.
static size_t copy_plain(char *out, const unsigned char *in, size_t length) {
  size_t i = 0;
  for (; i + 8 <= length; i += 8) {
    uint64_t word;
    memcpy(&word, in + i, 8);
    memcpy(out + i, &word, 8);
    uint64_t control = (word - EACH_BYTE(0x20)) & ~word & EACH_BYTE(0x80);
    // `<` 0x3c and `>` 0x3e differ in one bit.
    uint64_t angle = has_byte(word | EACH_BYTE(0x02), '>');
    uint64_t special =
        (word & EACH_BYTE(0x80)) | control | angle | has_byte(word, '"') | has_byte(word, '\\') | has_byte(word, '&');
    if (!special)
      continue;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return i + (size_t)__builtin_ctzll(special) / 8; // the lowest mark is exact, borrows only spoil higher ones
#else
    break;
#endif
  }
  for (; i < length && actions[in[i]] == PLAIN; i++)
    out[i] = (char)in[i];
  return i;
}

static int is_continuation(unsigned char c) { return (c & 0xc0) == 0x80; }

// Bytes of the valid UTF-8 sequence at `in`, or 0: no overlong forms, no surrogates, nothing above U+10FFFF.
static size_t utf8_length(const unsigned char *in, size_t length) {
  unsigned char a = in[0];
  size_t need = a >= 0xf0 ? 4 : a >= 0xe0 ? 3 : 2;
  if (a < 0xc2 || a > 0xf4 || length < need)
    return 0;
  unsigned char low = a == 0xe0 ? 0xa0 : a == 0xf0 ? 0x90 : 0x80;
  unsigned char high = a == 0xed ? 0x9f : a == 0xf4 ? 0x8f : 0xbf;
  if (in[1] < low || in[1] > high)
    return 0;
  for (size_t i = 2; i < need; i++)
    if (!is_continuation(in[i]))
      return 0;
  return need;
}

static char *put(char *out, const char *text, size_t length) {
  memcpy(out, text, length);
  return out + length;
}

static char *put_multibyte(char *out, const unsigned char *in, size_t length) {
  if (!length)
    return put(out, "\\ufffd", 6);
  if (length == 3 && in[0] == 0xe2 && in[1] == 0x80 && (in[2] == 0xa8 || in[2] == 0xa9))
    return put(out, in[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
  return put(out, (const char *)in, length);
}

// Eight bytes at once where they are all NUL: binary output is full of them, and each takes six characters.
static const char eight_nuls[] = "\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000";

// Writes the escapes of a run of NULs and returns how many there were.
static size_t put_nuls(char *out, const unsigned char *in, size_t length) {
  size_t i = 0;
  for (uint64_t word; i + 8 <= length; i += 8) {
    memcpy(&word, in + i, 8);
    if (word)
      break;
    memcpy(out + i * 6, eight_nuls, 48);
  }
  return i;
}

size_t json_escape_line(char *out, const char *text, size_t length, size_t *taken) {
  static const char hex[] = "0123456789abcdef";
  const unsigned char *in = (const unsigned char *)text, *end = in + length;
  char *start = out;
  while (in < end) {
    size_t run = copy_plain(out, in, (size_t)(end - in));
    out += run;
    in += run;
    if (in < end && *in == '\n')
      break;
    // Specials come in clusters (text in other scripts): stay here until a plain byte shows.
    for (; in < end && actions[*in] != PLAIN && *in != '\n'; in++) {
      unsigned char action = actions[*in];
      size_t nuls = *in ? 0 : put_nuls(out, in, (size_t)(end - in));
      if (nuls) {
        out += nuls * 6;
        in += nuls - 1;
      } else if (action == MULTIBYTE) {
        size_t n = utf8_length(in, (size_t)(end - in));
        out = put_multibyte(out, in, n);
        in += n ? n - 1 : 0;
      } else if (action == HEX) {
        out = put(out, "\\u00", 4);
        *out++ = hex[*in >> 4];
        *out++ = hex[*in & 15];
      } else {
        *out++ = '\\';
        *out++ = (char)action;
      }
    }
  }
  *taken = (size_t)(in - (const unsigned char *)text);
  return (size_t)(out - start);
}
