// Clients of the HTTP API, as light as they can be, so that the server is measured and not they: each has one connection and
// claims and completes tasks until `pairs` are done by all together. Answers their rate.
import { connect, type Socket } from 'node:net'

const [portText = '0', key = '', pairsText = '0', clientsText = '100'] = process.argv.slice(2)
const port = Number(portText)
const wanted = Number(pairsText)
let started = 0
let done = 0

const startedAt = performance.now()
await Promise.all(Array.from({ length: Number(clientsText) }, (_, i) => work(`worker-${i}`)))
const seconds = (performance.now() - startedAt) / 1000
process.stdout.write(`${JSON.stringify({ perSecond: done / seconds, seconds, done })}\n`)

async function work(name: string): Promise<void> {
  const socket = connect(port, '127.0.0.1').setNoDelay().setEncoding('latin1')
  const ask = asker(socket)
  while (started < wanted) {
    started++
    const claimed = await ask('/v1/tasks/claim', `{"worker_id":"${name}"}`)
    const id = /"id":"([^"]*)"/.exec(claimed)?.[1]
    if (id === undefined) throw new Error(`No task was claimed: ${claimed}`)
    const ended = await ask(`/v1/tasks/${id}/complete`, '{"result":3}')
    if (!ended.includes('"completed"')) throw new Error(`A task was not completed: ${ended}`)
    done++
  }
  socket.destroy()
}

function asker(socket: Socket): (path: string, body: string) => Promise<string> {
  let answer: (text: string) => void = () => {}
  let refuse: (error: Error) => void = () => {}
  let text = ''
  socket.on('data', (chunk: string) => {
    text += chunk
    const headEnd = text.indexOf('\r\n\r\n')
    if (headEnd === -1) return
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1])
    if (text.length < headEnd + 4 + length) return
    const whole = text
    text = ''
    answer(whole)
  })
  socket.on('error', error => refuse(error))
  socket.on('close', () => refuse(new Error('The server closed a connection.')))
  return (path, body) =>
    new Promise((resolve, reject) => {
      answer = resolve
      refuse = reject
      socket.write(
        `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\n` +
          `content-length: ${body.length}\r\n\r\n${body}`,
      )
    })
}
