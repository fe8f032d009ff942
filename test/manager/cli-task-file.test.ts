import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { after, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { JobFolder } from '../support/job-folder.ts'

describe('cloud-tasks load_queue', () => {
  const folder = new JobFolder({ env: { GOOGLE_APPLICATION_CREDENTIALS: 'no-such-key.json' }, jobId: 'web' })
  after(() => folder.remove())
  const load = (taskFile: string, ...more: string[]) =>
    folder.run('load_queue', '--config', 'job.yml', '--task-file', taskFile, ...more)

  it('loads tasks from an address, and names what is missing there', async t => {
    const lines = Array.from({ length: 50 }, (_, index) => `{"task_id":"web-${index}","data":{}}\n`).join('')
    const server = createServer((request, response) => {
      if (request.url?.startsWith('/tasks.jsonl.gz')) response.end(gzipSync(lines))
      else response.writeHead(404).end()
    })
    t.after(() => server.close())
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const at = (name: string) => `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/${name}`
    const loaded = await load(`${at('tasks.jsonl.gz')}?token=1`)
    assert.match(loaded.stdout, /^Loaded 50 tasks into queue 'web'/, loaded.stderr)
    for (const [url, message] of [
      [at('none.json'), /none\.json answered 404/],
      ['gs://bucket/tasks.json', /gs:\/\/bucket\/tasks\.json failed: .*no-such-key\.json/],
      ['https://a.blob.core.windows.net/c/tasks.json', /is read through the provider azure: /],
      ['ftp://host/tasks.json', /cannot read "ftp:\/\/host\/tasks\.json"/],
    ] as const) {
      const { exitCode, stderr } = await load(url, '--db-file', 'none.db', '--force')
      assert.equal(exitCode, 1)
      assert.match(stderr, message)
    }
    assert.equal(existsSync(folder.file('none.db')), false)
  })
})
