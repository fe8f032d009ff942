// An error as a sentence for the reader.

export function messageOf(error: unknown): string {
  if (error instanceof DOMException && error.name === 'TimeoutError') return 'The server does not answer.'
  if (error instanceof TypeError) return 'The server cannot be reached.' // what fetch throws then
  return error instanceof Error ? error.message : String(error)
}
