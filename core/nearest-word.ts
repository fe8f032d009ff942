// Finds the known word that a mistyped one was probably meant to be.

/** undefined if nothing is near enough to be worth suggesting. */
export function nearestOf(word: string, known: readonly string[]): string | undefined {
  const wanted = word.toLowerCase().replaceAll('-', '_')
  const ranked = known
    .map(candidate => ({ candidate, distance: editDistance(wanted, candidate.toLowerCase().replaceAll('-', '_')) }))
    .sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best !== undefined && best.distance <= Math.ceil(word.length / 3) ? best.candidate : undefined
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[b.length] ?? 0
}
