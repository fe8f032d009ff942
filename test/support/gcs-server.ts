// Cloud Storage on a loopback port: fake-gcs-server, with its objects in memory, as a process that ends with us.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { freePort } from './free-port.ts'
import { goTool } from './test-tools.ts'

export interface GcsServer {
  /** For `STORAGE_EMULATOR_HOST`. */
  readonly endpoint: string
  createBucket(name: string): Promise<void>
  /** As any program of the user's would. */
  put(
    bucket: string,
    key: string,
    content: Uint8Array | string,
    metadata?: Readonly<Record<string, string>>,
  ): Promise<void>
  close(): Promise<void>
}

const READY_MS = 20_000
/** It does not look whether we are still there: a shell does, and ends it. */
const ENDS_WITH_US = '"$0" "$@" & server=$!; cat > /dev/null; kill $server 2> /dev/null; wait $server'

export async function startGcsServer(): Promise<GcsServer> {
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const options = ['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port), '-backend', 'memory']
  const args = ['-c', ENDS_WITH_US, goTool('fake-gcs-server'), ...options, '-external-url', endpoint]
  const shell = spawn('sh', [...args, '-public-host', `127.0.0.1:${port}`, '-log-level', 'error'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const exit = once(shell, 'exit')
  const send = async (path: string, init: RequestInit) => {
    const response = await fetch(`${endpoint}${path}`, { method: 'POST', ...init })
    if (!response.ok) throw new Error(`fake-gcs-server: ${response.status} ${await response.text()}`)
  }
  try {
    await ready(`${endpoint}/_internal/healthcheck`)
  } catch (error) {
    shell.stdin.end()
    throw error
  }
  return {
    endpoint,
    createBucket: name => send('/storage/v1/b?project=test-project', json({ name })),
    async put(bucket, key, content, metadata = {}) {
      const parts = [
        new Blob([JSON.stringify({ name: key, ...metadata })], { type: 'application/json' }),
        new Blob([Buffer.from(content)], { type: 'application/octet-stream' }),
      ]
      const mark = 'a-mark-between-parts'
      const body = new Blob(
        [
          ...parts.flatMap(part => [`--${mark}\r\ncontent-type: ${part.type}\r\n\r\n`, part, '\r\n']),
          `--${mark}--\r\n`,
        ],
        { type: `multipart/related; boundary=${mark}` },
      )
      await send(`/upload/storage/v1/b/${bucket}/o?uploadType=multipart`, { body })
    },
    async close() {
      shell.stdin.end()
      await exit
    },
  }
}

function json(value: unknown): RequestInit {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) }
}

async function ready(url: string): Promise<void> {
  const endMs = Date.now() + READY_MS
  for (;;) {
    const response = await fetch(url).catch(() => undefined)
    if (response?.ok) return
    if (Date.now() > endMs) throw new Error('fake-gcs-server did not start.')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
