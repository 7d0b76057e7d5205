/* CAPY_ASSERT: our own bugs stop the program, in every build. Never for input from outside. */
#ifndef CAPY_BASE_ASSERT_H
#define CAPY_BASE_ASSERT_H

/* Prints file, line and expression to stderr, then aborts. */
_Noreturn void capy_assert_failed(const char *file, int line, const char *expr);

#ifdef __bpf__ /* where the verifier proves what an assertion would only hope */
#define CAPY_ASSERT(expr) ((void)0)
#else
#define CAPY_ASSERT(expr) ((expr) ? (void)0 : capy_assert_failed(__FILE__, __LINE__, #expr))
#endif

#define CAPY_MUST_USE __attribute__((warn_unused_result))

#endif
