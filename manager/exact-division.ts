// Division of decimal amounts (money, fractions of a CPU) without the surprises of binary fractions. Pure.

const UNITS = 1e9 // amounts are compared as whole billionths: exact for prices of 6 decimals and up to 9 million

/** How often `part` fits into `whole`: 10 / 0.1 = 100, 0.3 / 0.1 = 3. Infinity for a part of 0. Never negative. */
export function timesWithin(whole: number, part: number): number {
  const wholeUnits = Math.round(whole * UNITS)
  const partUnits = Math.round(part * UNITS)
  if (partUnits <= 0) return wholeUnits < 0 ? 0 : Number.POSITIVE_INFINITY
  if (!Number.isSafeInteger(wholeUnits)) return whole < 0 ? 0 : Math.floor(whole / part)
  return Math.max(0, (wholeUnits - (wholeUnits % partUnits)) / partUnits)
}

/** How many of `part` are needed to hold `whole`. */
export function timesToCover(whole: number, part: number): number {
  if (whole <= 0) return 0
  const times = timesWithin(whole, part)
  return times === Number.POSITIVE_INFINITY || atLeast(times * part, whole) ? times : times + 1
}

/** a ≥ b, to a billionth. */
export function atLeast(a: number, b: number): boolean {
  return Math.round((a - b) * UNITS) >= 0
}
