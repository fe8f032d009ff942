// The notebook in Cloud Storage, against fake-gcs-server.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { openProvider } from '../../../infra/gcp/index.ts'
import type { ProviderSettings } from '../../../infra/open-provider.ts'
import { notebookConformance } from '../../conformance/notebook-suite.ts'
import { startGcsServer } from '../../support/gcs-server.ts'
import { withGoTools } from '../../support/test-tools.ts'

const PROJECT = 'test-project'

withGoTools(['fake-gcs-server'], () => {
  notebookConformance('gcp on fake-gcs-server', async () => {
    const bench = await openBench()
    let count = 0
    return {
      open: () => openProvider(bench.settings),
      jobId: () => bench.makeBucket(`job-${++count}`),
      close: () => bench.close(),
    }
  })

  describe('gcp: notebook', { timeout: 120_000 }, () => {
    let bench: Bench
    before(async () => {
      bench = await openBench()
    })
    after(() => bench.close())

    it('says that the job is to be deployed where there is no bucket of its stack', async () => {
      const notebook = openProvider(bench.settings).openNotebook({ jobId: 'absent' })
      const sentence =
        /^UserError: Job "absent" has no manager in the cloud: bucket ct-test-project-absent does not exist\. Deploy/
      await assert.rejects(notebook.read(), sentence)
      await assert.rejects(notebook.write('text', undefined), sentence)
    })

    it('believes that it has written when only the answer was lost', async () => {
      const jobId = await bench.makeBucket('broken')
      await using proxy = await losesFirstUpload(bench.settings.env.STORAGE_EMULATOR_HOST ?? '')
      const env = { STORAGE_EMULATOR_HOST: proxy.endpoint }
      const notebook = openProvider({ ...bench.settings, env }).openNotebook({ jobId })
      assert.equal(await notebook.write('first', undefined), true)
      assert.equal(proxy.uploads(), 2)
      assert.equal((await openProvider(bench.settings).openNotebook({ jobId }).read())?.text, 'first')
      assert.equal(await notebook.write('of somebody who has not read', undefined), false)
    })
  })
})

interface Bench {
  readonly settings: ProviderSettings
  /** As the job's stack would. Returns the job. */
  makeBucket(jobId: string): Promise<string>
  close(): Promise<void>
}

async function openBench(): Promise<Bench> {
  const server = await startGcsServer()
  return {
    settings: { projectId: PROJECT, env: { STORAGE_EMULATOR_HOST: server.endpoint } },
    async makeBucket(jobId) {
      await server.createBucket(`ct-${PROJECT}-${jobId}`)
      return jobId
    },
    close: () => server.close(),
  }
}

/** Passes requests on, and breaks the connection in place of the first answer to an upload, which has been carried out. */
async function losesFirstUpload(target: string) {
  let uploads = 0
  const server = createServer(async (incoming, outgoing) => {
    const { method = 'GET', url = '/', headers } = incoming
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    const body = chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }
    const type = headers['content-type']
    const answer = await fetch(`${target}${url}`, {
      method,
      ...(type && { headers: { 'content-type': type } }),
      ...body,
    })
    const content = Buffer.from(await answer.arrayBuffer())
    if (url.startsWith('/upload/') && ++uploads === 1) return void outgoing.destroy()
    outgoing.writeHead(answer.status, { 'content-type': 'application/json' }).end(content)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    uploads: () => uploads,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
