/* A search of libsolv's that can be left half-way. libsolv has no way to end one: its callback for messages jumps out of
 * it, over libsolv's own frames alone. No frame of Rust lies between, and nothing has to be unwound. */

#include <setjmp.h>
#include <stddef.h>

struct pool;
struct solver;
struct queue;

extern void pool_setdebugcallback(struct pool *, void (*)(struct pool *, void *, int, const char *), void *);
extern int solver_solve(struct solver *, struct queue *);
extern unsigned int solver_solution_count(struct solver *, int);

struct way_out {
  jmp_buf back;
  int kinds;
};

/* Called by libsolv where it tells something. */
static void told(struct pool *pool, void *data, int kind, const char *text) {
  struct way_out *out = data;

  (void)pool;
  (void)text;
  if (kind & out->kinds)
    longjmp(out->back, 1);
}

/* Solves `jobs`; looks for the solutions of `problem` where that is not 0. 0 and the search's answer, or 1 where libsolv told
 * something of `kinds`: whatever the search has made so far must then be forgotten and not freed. */
int rpm_solv_search(struct pool *pool, struct solver *solver, struct queue *jobs, int problem, int kinds, int *answer) {
  struct way_out out;
  int left;

  out.kinds = kinds;
  pool_setdebugcallback(pool, told, &out);
  left = setjmp(out.back);
  if (!left)
    *answer = problem ? (int)solver_solution_count(solver, problem) : solver_solve(solver, jobs);
  pool_setdebugcallback(pool, NULL, NULL);
  return left;
}
