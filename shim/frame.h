// Docker's stdcopy frame: [stream, 0, 0, 0, length as big-endian 32 bits] payload.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER 8

static inline size_t frame_header(char header[FRAME_HEADER], int stream, size_t length) {
  uint32_t n = (uint32_t)length;
  const unsigned char bytes[FRAME_HEADER] = {
      (unsigned char)stream, 0, 0, 0, (unsigned char)(n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8),
      (unsigned char)n};
  for (int i = 0; i < FRAME_HEADER; i++)
    header[i] = (char)bytes[i];
  return FRAME_HEADER;
}
