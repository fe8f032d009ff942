// The built file of the serverless manager, run as Cloud Run would run it: alone in a folder, as a service that is called once a
// look, against the fakes of Google's cloud.
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '../../../core/clock.ts'
import { packJob } from '../../../core/packed-job.ts'
import { openProvider } from '../../../infra/gcp/index.ts'
import { freePort } from '../../support/free-port.ts'
import { type GceFake, startGce } from '../../support/gce-fake.ts'
import { type GcsServer, startGcsServer } from '../../support/gcs-server.ts'
import { jobConfigWith } from '../../support/job-config.ts'
import { type PubSubFake, startPubSubFake } from '../../support/pubsub-fake.ts'
import { withGoTools } from '../../support/test-tools.ts'

const ROOT = join(import.meta.dirname, '..', '..', '..')
const PROJECT = 'test-project'
const JOB_ID = 'served'
const READY_MS = 30_000

withGoTools(['pubsub-fake', 'fake-gcs-server'], () => {
  describe('gcp: the serverless manager', { timeout: 180_000, concurrency: false }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-service-'))
    const lines: string[] = []
    let fakes: { readonly pubsub: PubSubFake; readonly storage: GcsServer; readonly compute: GceFake }
    let service: ChildProcess
    let url: string

    before(async () => {
      execFileSync(process.execPath, [join(ROOT, 'scripts/build-serverless.ts')])
      copyFileSync(join(ROOT, 'dist/serverless/gcp/manager.mjs'), join(folder, 'manager.mjs'))
      fakes = {
        pubsub: await startPubSubFake(),
        storage: await startGcsServer(),
        compute: await startGce({ projectId: PROJECT }),
      }
      await fakes.storage.createBucket(`ct-${PROJECT}-${JOB_ID}`)
      const port = await freePort()
      url = `http://127.0.0.1:${port}`
      service = spawn(process.execPath, [join(folder, 'manager.mjs')], {
        env: { PATH: '/usr/bin:/bin', PORT: String(port), CLOUD_TASKS_JOB: packedJob(), ...cloudEnv() },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      if (service.stdout) createInterface({ input: service.stdout }).on('line', line => lines.push(line))
      await untilServed()
    })
    after(async () => {
      const exit = once(service, 'exit')
      service.kill('SIGTERM')
      assert.deepEqual(await exit, [0, null], 'it ends in order when Cloud Run asks it to')
      for (const fake of Object.values(fakes)) await fake.close()
      rmSync(folder, { recursive: true, force: true })
    })

    const cloudEnv = () => ({
      GOOGLE_CLOUD_PROJECT: PROJECT,
      PUBSUB_EMULATOR_HOST: fakes.pubsub.host,
      CLOUD_TASKS_GCP_MONITORING_URL: fakes.pubsub.monitoringUrl,
      STORAGE_EMULATOR_HOST: fakes.storage.endpoint,
      CLOUD_TASKS_GCP_COMPUTE_URL: fakes.compute.endpoint,
      METADATA_SERVER_DETECTION: 'none',
    })

    async function untilServed(): Promise<void> {
      const endMs = systemClock.now() + READY_MS
      for (;;) {
        const answer = await fetch(url).catch(() => undefined)
        if (answer !== undefined) return
        assert.ok(systemClock.now() < endMs, 'the service does not answer')
        await systemClock.sleep(50)
      }
    }

    it('serves looks and nothing else', async () => {
      assert.equal((await fetch(url)).status, 405)
      assert.deepEqual(lines, [])
    })

    it('answers with the sentence of a look that has failed, and logs it as an error', async () => {
      const answer = await fetch(url, { method: 'POST' })
      assert.equal(answer.status, 500)
      assert.match(await answer.text(), /^Queue "served" does not exist: deploy job "served"\.$/m)
      assert.deepEqual(JSON.parse(lines.at(-1) ?? ''), {
        severity: 'ERROR',
        message: 'Queue "served" does not exist: deploy job "served".',
      })
    })

    it('looks after the job, logs numbers for alerts, and remembers', async () => {
      const provider = openProvider({ projectId: PROJECT, env: cloudEnv() })
      try {
        await provider.openQueue(JOB_ID, { leaseSeconds: 60 }).admin.ensure()
        const answer = await fetch(url, { method: 'POST' })
        assert.deepEqual([answer.status, await answer.text()], [200, 'done\n'])
        const { message, ...rest } = JSON.parse(lines.at(-1) ?? '')
        assert.match(message, /^0 tasks in the queue, 0 VMs, \$0\.0000 spent; /)
        const numbers = { backlog: 0, vmCount: 0, spentUsd: 0, usdPerHour: 0, stopped: false }
        assert.deepEqual(rest, { severity: 'INFO', ...numbers })
        const note = await provider.openNotebook({ jobId: JOB_ID }).read()
        assert.match(note?.text ?? '', /backlog/)
      } finally {
        await provider.close()
      }
    })
  })
})

function packedJob(): string {
  const config = jobConfigWith({
    provider: 'gcp',
    gcp: { job_id: JOB_ID, region: 'us-central1', project_id: PROJECT },
    run: { task: './task.ts', use_spot: true },
  })
  return packJob({ jobId: JOB_ID, queueName: JOB_ID, config })
}
