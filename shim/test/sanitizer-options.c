// Linked into the sanitized shim. It holds its memory until it ends, so leaks are no finding.
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0:abort_on_error=1"; }
