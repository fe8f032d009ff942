// The real Pulumi program, run by Pulumi's own program runner, deploys a job to the fakes: queues through which messages go,
// a template from which VMs are launched, and the programs that VMs fetch. Pulumi's own engine and its provider have no part.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { openProvider } from '../../../infra/gcp/index.ts'
import type { ProviderSettings } from '../../../infra/open-provider.ts'
import type { LaunchChoice } from '../../../infra/provider.ts'
import { type GceFake, startGce } from '../../support/gce-fake.ts'
import { type GcsServer, startGcsServer } from '../../support/gcs-server.ts'
import { type PubSubFake, startPubSubFake } from '../../support/pubsub-fake.ts'
import { PulumiEngine } from '../../support/pulumi-engine.ts'
import { withPulumi } from '../../support/pulumi-packages.ts'
import { withGoTools } from '../../support/test-tools.ts'
import { FakeCloud, PROJECT } from './fake-cloud.ts'

const JOB = `provider: gcp
gcp:
  job_id: my-job
  project_id: ${PROJECT}
  region: us-central1
  exactly_once_queue: true
run:
  task: ./task.ts
  bundle: ./code
  use_spot: true
  max_instance_lifetime: 3600
  total_boot_disk_size: 25
`
const BUCKET = `ct-${PROJECT}-my-job`

withPulumi(() => {
  withGoTools(['pubsub-fake', 'fake-gcs-server'], () => {
    describe('the Pulumi program on fakes', { timeout: 300_000, concurrency: false }, () => {
      const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-pulumi-'))
      const jobFile = join(folder, 'job.yml')
      let pubsub: PubSubFake
      let storage: GcsServer
      let compute: GceFake
      let cloud: FakeCloud
      let engine: PulumiEngine
      let settings: ProviderSettings

      before(async () => {
        writeFileSync(jobFile, JOB)
        mkdirSync(join(folder, 'code'))
        writeFileSync(join(folder, 'code', 'task.ts'), 'export default async () => 42\n')
        pubsub = await startPubSubFake()
        storage = await startGcsServer()
        compute = await startGce({ projectId: PROJECT })
        cloud = new FakeCloud({ pubsub, storage, compute })
        engine = new PulumiEngine(cloud)
        settings = {
          projectId: PROJECT,
          exactlyOnceQueue: true,
          env: {
            PUBSUB_EMULATOR_HOST: pubsub.host,
            STORAGE_EMULATOR_HOST: storage.endpoint,
            CLOUD_TASKS_GCP_COMPUTE_URL: compute.endpoint,
          },
        }
      })
      after(async () => {
        await cloud.close()
        for (const fake of [pubsub, storage, compute]) await fake.close()
        rmSync(folder, { recursive: true, force: true })
      })

      it('deploys, and says where everything is', async () => {
        const { outputs, changes } = await engine.up({ jobFile })
        assert.deepEqual(outputs, {
          'task queue': `projects/${PROJECT}/subscriptions/my-job-subscription`,
          'event queue': `projects/${PROJECT}/subscriptions/my-job-events-subscription`,
          'dead-letter queue': `projects/${PROJECT}/subscriptions/my-job-dead-subscription`,
          'instance template': 'rmscr-my-job',
          'account of the VMs': `ct-my-job-vm@${PROJECT}.iam.gserviceaccount.com`,
          manager: 'cloud-tasks-my-job',
        })
        assert.ok(changes.length > 40 && changes.every(change => change.startsWith('create ')), `${changes}`)
      })

      it('makes queues through which messages go', async () => {
        const provider = openProvider(settings)
        try {
          for (const name of ['my-job', 'my-job-events', 'my-job-dead']) {
            const queue = provider.openQueue(name, { leaseSeconds: 60 })
            await queue.send([{ body: `to ${name}` }])
            const [delivery] = await queue.receive({ maxMessages: 1, waitSeconds: 10 })
            assert.equal(delivery?.body, `to ${name}`)
            assert.ok(delivery)
            assert.deepEqual(await queue.ack([delivery.receipt]), { lost: [] })
          }
        } finally {
          await provider.close()
        }
      })

      it('makes a template from which the pool launches spot VMs of the job', async () => {
        const provider = openProvider(settings)
        try {
          const pool = provider.openPool({ jobId: 'my-job', region: 'us-central1' })
          const { launched, failures } = await pool.launch({ token: 'one', vmCount: 2, spot: true, choices: [CHOICE] })
          assert.deepEqual([launched.length, failures], [2, []])
          const [vm] = compute.vms.list()
          const { items } = Object(Object(vm).metadata)
          const scripts = Array.isArray(items) ? items.filter(({ key }) => key === 'startup-script') : []
          assert.match(String(scripts[0]?.value), /export RMS_CLOUD_TASKS_QUEUE_NAME=my-job/)
          assert.equal(Object(Object(vm).scheduling).provisioningModel, 'SPOT')
          await pool.terminate(launched.map(({ id }) => id))
        } finally {
          await provider.close()
        }
      })

      it('puts into the bucket what the startup script says that VMs fetch', async () => {
        const script = await scriptOf(compute)
        const urls = [...script.matchAll(/gs:\/\/ct-[^\s'"]+/g)].map(([url]) => url)
        assert.equal(new Set(urls).size, 2, `${urls}`)
        for (const url of new Set(urls)) {
          const key = url.slice(`gs://${BUCKET}/`.length)
          const path = `${storage.endpoint}/storage/v1/b/${BUCKET}/o/${encodeURIComponent(key)}?alt=media`
          const content = Buffer.from(await (await fetch(path)).arrayBuffer())
          const sha512 = createHash('sha512').update(content).digest('hex')
          assert.ok(script.includes(sha512), `${url} is not what the script expects`)
        }
      })

      it('makes the note of the manager possible', async () => {
        const notebook = openProvider(settings).openNotebook({ jobId: 'my-job' })
        assert.equal(await notebook.write('remembered', undefined), true)
        assert.equal((await notebook.read())?.text, 'remembered')
      })

      it('changes nothing when nothing has changed, and only what has', async () => {
        assert.deepEqual((await engine.up({ jobFile })).changes, [])
        writeFileSync(jobFile, `${JOB}  max_total_cost: 5\n`)
        const { changes } = await engine.up({ jobFile })
        assert.deepEqual(changes.toSorted(), [
          'create gcp:monitoring/alertPolicy:AlertPolicy alert-spending',
          'replace gcp:cloudrunv2/service:Service manager',
        ])
        const here = await engine.up({ jobFile, manager: 'here' })
        assert.ok(here.changes.includes('delete gcp:cloudscheduler/job:Job every-minute'), `${here.changes}`)
      })

      it('says in one sentence what is wrong with a job', async () => {
        await assert.rejects(engine.up({}), { message: /^Which job\? Give its file: pulumi config set jobFile/ })
        await assert.rejects(engine.up({ jobFile, manager: 'nobody' }), { message: /neither serverless nor here\.$/ })
      })

      it('goes down with everything', async () => {
        await engine.down()
        assert.deepEqual([...cloud.there], [])
        const provider = openProvider(settings)
        try {
          assert.equal(await provider.openQueue('my-job', { leaseSeconds: 60 }).admin.depth(), undefined)
          await assert.rejects(provider.openNotebook({ jobId: 'my-job' }).read(), /Deploy the job first/)
        } finally {
          await provider.close()
        }
      })
    })
  })
})

const CHOICE: LaunchChoice = {
  offer: {
    instanceType: 'e2-standard-2',
    vcpuCount: 2,
    memoryGib: 8,
    architecture: 'X86_64',
    cpuFamily: undefined,
    cpuRank: 0,
    localSsdGib: 0,
    spotSupported: true,
    zone: 'us-central1-a',
    bootDiskType: 'pd-balanced',
    priceUsdPerHour: 0.02,
  },
  bootDiskGib: 25,
  tasksPerVm: 2,
}

async function scriptOf(compute: GceFake): Promise<string> {
  const url = `${compute.endpoint}/compute/v1/projects/${PROJECT}/global/instanceTemplates/rmscr-my-job`
  const template = Object(await (await fetch(url, { headers: { authorization: 'Bearer t' } })).json())
  const { items } = Object(Object(template.properties).metadata)
  const script = Array.isArray(items) ? items.find(({ key }) => key === 'startup-script') : undefined
  return String(Object(script).value)
}
