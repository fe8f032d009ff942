// Makes the compiler prove that a switch over a closed set is complete.

export function assertNever(value: never): never {
  throw new Error(`Unexpected value: ${JSON.stringify(value)}. This is a bug in Cloud Tasks.`)
}
