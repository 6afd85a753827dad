// The leak sanitizer does not know the C library that scripts/with-lavapipe starts programs with,
// so it takes what that library's loader keeps for each thread for lost.
extern "C" const char*
__lsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier): the sanitizer's name
extern "C" const char* __lsan_default_suppressions() { return "leak:ld-linux"; }

extern "C" const char* __lsan_default_options();  // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __lsan_default_options() { return "print_suppressions=0"; }
