// The tasks of a job that the Python system and we share: awkward data, and ends of every kind.

/** JSON as text: numbers that JavaScript cannot hold must get through, too. */
export const AWKWARD: Readonly<Record<string, string>> = {
  null: 'null',
  text: '"\\u00fc \\"quoted\\" \\ud83d\\ude80 \\n"',
  'big-integer': '12345678901234567890',
  'whole-float': '1.0',
  float: '0.1',
  nested: '{"z": [1, {"a": null}], "a": false}',
  empty: '{}',
}

export interface InteropTasks {
  /** Besides the awkward ones. */
  readonly sumCount: number
  /** That each of them takes. */
  readonly seconds: number
}

export function taskFile(tasks: InteropTasks): string {
  const lines = [...taskData(tasks)].map(([id, data]) => `{"task_id": "${id}", "data": ${data}}`)
  return `[\n${lines.join(',\n')}\n]\n`
}

/** As it must stand in the database. */
export function expectedData(tasks: InteropTasks): ReadonlyMap<string, string> {
  return new Map([...taskData(tasks)].map(([id, data]) => [id, canonical(data)]))
}

/** The task that takes longest is the first, so that it runs beside all others. */
function taskData({ sumCount, seconds }: InteropTasks): ReadonlyMap<string, string> {
  return new Map([
    ['hangs', '{"kind": "hangs"}'],
    ['raises', '{"kind": "raises"}'],
    ['exits', '{"kind": "exits"}'],
    ['again', '{"kind": "again", "marker": "again.txt"}'],
    ...Object.entries(AWKWARD).map(([name, value]) => [`echo-${name}`, `{"kind": "echo", "value": ${value}}`] as const),
    ...Array.from(
      { length: sumCount },
      (_, i) => [`sum-${i}`, `{"kind": "sum", "a": ${i}, "b": 1, "seconds": ${seconds}}`] as const,
    ),
  ])
}

/** The same for the same JSON: escapes and white space go, and 1.0 is 1, as it is for JavaScript. All other digits stay. */
export function canonical(json: string): string {
  const tokens = json.match(/"(?:[^"\\]|\\.)*"|[^\s"]+/g) ?? []
  return tokens
    .map(token => (token.startsWith('"') ? JSON.stringify(JSON.parse(token)) : token.replace(/\b(\d+)\.0\b/g, '$1')))
    .join('')
}
