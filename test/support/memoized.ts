/**
 * Results of an oracle by its arguments, which are as JSON: the backends, one after the other, are compared with the same values,
 * which are computed once.
 */
export function memoized<A, R>(compute: (args: A) => R): (args: A) => R {
  const results = new Map<string, R>();
  return (args) => {
    const key = JSON.stringify(args);
    if (!results.has(key)) results.set(key, compute(args));
    return results.get(key)!;
  };
}
