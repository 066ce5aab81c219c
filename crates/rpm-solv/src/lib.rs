//! A safe face over libsolv: pool, repositories, solver, problems, cache.
