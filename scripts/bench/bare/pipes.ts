// The raw medium between an agent and its task process: lines over a pipe to an echo, one at a time and streamed.
import { spawn } from 'node:child_process'
import { once } from 'node:events'

const [kind = 'ping', countText = '1000'] = process.argv.slice(2)
const count = Number(countText)
const line = `${JSON.stringify({ task_id: 'task-0000001', data: { number: 1 } })}\n`
const chunkLines = 500

const child = spawn(process.execPath, [new URL('echo.mjs', import.meta.url).pathname], {
  stdio: ['pipe', 'pipe', 'inherit'],
})
child.stdin.write(line)
await once(child.stdout, 'data') // up and warm

let answered = 0
let finish = () => {}
const finished = new Promise<void>(resolve => {
  finish = resolve
})
child.stdout.on('data', (chunk: Buffer) => {
  for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) answered++
  if (answered >= count) finish()
  else if (kind === 'ping') child.stdin.write(line)
})

const startedAt = performance.now()
if (kind === 'ping') {
  child.stdin.write(line)
} else {
  const chunk = line.repeat(chunkLines)
  for (let sent = 0; sent < count; sent += chunkLines) {
    if (!child.stdin.write(chunk)) await once(child.stdin, 'drain')
  }
}
await finished
const seconds = (performance.now() - startedAt) / 1000
child.stdin.end()
process.stdout.write(`${JSON.stringify({ perSecond: answered / seconds })}\n`)
