// The notebook on DynamoDB, against moto.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { openProvider } from '../../../infra/aws/index.ts'
import type { ProviderSettings } from '../../../infra/open-provider.ts'
import { notebookConformance } from '../../conformance/notebook-suite.ts'
import { type Moto, startMoto } from '../../support/moto.ts'
import { withTools } from '../../support/test-tools.ts'
import { motoSettings } from './moto-stack.ts'
import { makeNotebookTable } from './notebook-table.ts'

withTools(() => {
  notebookConformance('aws on moto', async () => {
    const bench = await openBench()
    let count = 0
    return {
      open: () => openProvider(bench.settings),
      jobId: () => bench.makeTable(`job-${++count}`),
      close: () => bench.close(),
    }
  })

  describe('aws: notebook', { timeout: 120_000 }, () => {
    let bench: Bench
    before(async () => {
      bench = await openBench()
    })
    after(() => bench.close())

    it('says that the job is to be deployed where there is no table', async () => {
      const notebook = openProvider(bench.settings).openNotebook({ jobId: 'absent' })
      const sentence =
        /Job "absent" has no manager in the cloud: DynamoDB table cloud-tasks-absent does not exist\. Deploy/
      await assert.rejects(notebook.read(), sentence)
      await assert.rejects(notebook.write('text', undefined), sentence)
    })

    it('holds what compresses to 400 KB, and says what is too much', async () => {
      const notebook = openProvider(bench.settings).openNotebook({ jobId: await bench.makeTable('big') })
      const text = randomBytes(360_000).toString('base64') // six bits of each letter cannot be compressed away
      assert.equal(await notebook.write(text, undefined), true)
      const note = await notebook.read()
      assert.equal(note?.text, text)
      await assert.rejects(
        notebook.write(`${text}${randomBytes(60_000).toString('base64')}`, note?.version),
        /has room for 400000/,
      )
      assert.equal((await notebook.read())?.version, note?.version)
    })
  })
})

interface Bench {
  readonly settings: ProviderSettings
  /** As the job's stack would. Returns the job. */
  makeTable(jobId: string): Promise<string>
  close(): Promise<void>
}

async function openBench(): Promise<Bench> {
  const moto: Moto = await startMoto()
  const settings = motoSettings(moto)
  return {
    settings,
    async makeTable(jobId) {
      await makeNotebookTable(settings, jobId)
      return jobId
    },
    close: () => moto.close(),
  }
}
