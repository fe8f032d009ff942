// JSON of what task code hands over; unlike JSON.stringify, what has no JSON form is an error that says why.

/** `what` begins the error's sentence: `The result`. */
export function carriedJson(value: unknown, what: string): string {
  if (value === undefined) return 'null'
  let reason = `a ${typeof value} has no JSON form`
  try {
    const json = JSON.stringify(value)
    if (json !== undefined) return json
  } catch (error) {
    if (!(error instanceof Error)) throw error
    reason = error.message.split('\n')[0] ?? ''
  }
  throw new TypeError(`${what} of the task cannot be carried as JSON: ${reason}.`)
}
