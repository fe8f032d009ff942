// A proxy in front of an emulator that puts a resource which cannot be made into the templates that pass, as long as asked.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'

export interface TemplateSpoiler {
  readonly endpoint: string
  spoiling: boolean
  close(): Promise<void>
}

const BEFORE = encodeURIComponent('"Resources":{')
const SPOILT = encodeURIComponent(
  '"Resources":{"Unmakeable":{"Type":"AWS::SQS::Queue","Properties":{"VisibilityTimeout":99999}},',
)

export async function startTemplateSpoiler(upstream: string): Promise<TemplateSpoiler> {
  const server = createServer((request, response) => {
    pass(request, response).catch(error => response.destroy(error))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const spoiler = {
    endpoint: `http://127.0.0.1:${port}`,
    spoiling: false,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return spoiler

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const sent = (await buffer(request)).toString()
    const body = spoiler.spoiling ? sent.replace(BEFORE, SPOILT) : sent
    const headers = new Headers()
    for (const [name, value] of Object.entries(request.headers)) {
      if (typeof value === 'string' && !/^(host|connection|content-length|expect)$/.test(name)) headers.set(name, value)
    }
    const { method = 'GET' } = request
    const answer = await fetch(upstream + request.url, { method, headers, ...(body !== '' && { body }) })
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/xml' })
    response.end(Buffer.from(await answer.arrayBuffer()))
  }
}
