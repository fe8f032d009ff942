// The least an HTTP server can do: the same answers as the API gives, out of nothing. Prints its port.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

let count = 0
const server = createServer((request, response) => {
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (chunk: string) => {
    body += chunk
  })
  request.on('end', () => {
    JSON.parse(body)
    const answer = request.url?.endsWith('/claim')
      ? { task: { id: `task-${++count}`, type: null, parameters: { first: 1, second: 2 }, status: 'claimed' } }
      : { id: 'task', status: 'completed', will_retry: false }
    const text = JSON.stringify(answer)
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    response.end(text)
  })
})
server.listen(0, '127.0.0.1', () => process.stderr.write(`:${(server.address() as AddressInfo).port}/\n`))
