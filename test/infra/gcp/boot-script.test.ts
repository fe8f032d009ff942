// The startup script of a job's VMs as a whole, run by bash as the guest agent of a VM runs it.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { renderGcpBootScript } from '../../../infra/gcp/boot-script.ts'
import type { startGce } from '../../support/gce-fake.ts'
import { startGceMetadata } from '../../support/gce-metadata-fake.ts'
import { jobConfigWith } from '../../support/job-config.ts'
import { until } from '../../support/processes.ts'
import { choice, gce, JOB, PROJECT, plan, poolOn, TEMPLATE } from './gce-pool.ts'

const LIMIT_MS = 60_000
const MOST_SCRIPT_BYTES = 262_144 // of one metadata value

describe('gcp: startup script', { timeout: LIMIT_MS }, () => {
  it('tells the job what the VM was launched as, byte for byte as the Python system would', async context => {
    const vm = await launchedVm(context, '#!/bin/bash\nenv | grep -a ^RMS_CLOUD_TASKS_ | sort > "$OUT"\n')
    assert.equal((await vm.boot()).code, 0)
    const told = new Map(
      vm
        .read('out')
        .trim()
        .split('\n')
        .map(line => splitOnce(line.replace('RMS_CLOUD_TASKS_', ''))),
    )
    assert.deepEqual(
      ['PROVIDER', 'PROJECT_ID', 'JOB_ID', 'QUEUE_NAME', 'INSTANCE_TYPE', 'INSTANCE_NUM_VCPUS'].map(name =>
        told.get(name),
      ),
      ['GCP', PROJECT, JOB, 'the-queue', 'n2-standard-2', '2'],
    )
    assert.deepEqual(
      [
        'INSTANCE_MEM_GB',
        'INSTANCE_BOOT_DISK_GB',
        'INSTANCE_IS_SPOT',
        'INSTANCE_PRICE',
        'NUM_TASKS_PER_INSTANCE',
        'REGION',
      ].map(name => told.get(name)),
      ['8.0', '20', 'True', '0.0233', '2', 'us-central1'],
    )
    const lifetime = Number(told.get('MAX_INSTANCE_LIFETIME'))
    assert.ok(lifetime > 3500 && lifetime <= 3600, `${lifetime} s`)
  })

  it('deletes the VM whose script fails', async context => {
    const vm = await launchedVm(context, '#!/bin/bash\nexit 3\n')
    const { console } = await vm.boot()
    assert.match(console, /powering off: the startup script failed \(exit code 3\)/)
    await until('its end', () => vm.fake.vms.list().length === 0)
    assert.equal((await poolOn(vm.fake).list())[0]?.endReason, 'powered off')
  })

  it('fits into the metadata of a VM many times', () => {
    assert.ok(Buffer.byteLength(scriptOf('#!/bin/bash\n')) * 10 < MOST_SCRIPT_BYTES)
  })
})

/** Launched by the pool from a template with this script, with the metadata that the pool gave it. */
async function launchedVm(context: TestContext, startupScript: string) {
  const fake = await gce(context, { jobIds: [] })
  const items = [{ key: 'startup-script', value: scriptOf(startupScript) }]
  fake.putTemplate(`rmscr-${JOB}`, { ...TEMPLATE, metadata: { items } })
  const paidUntilSeconds = Math.floor(Date.now() / 1000) + 3600
  await poolOn(fake).launch(plan({ paidUntilSeconds, choices: [choice()] }))
  const attributes = attributesOf(fake)
  const name = String(fake.vms.list()[0]?.name)
  const metadata = await startGceMetadata({ name, attributes, accessToken: 'token', projectId: PROJECT })
  const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-vm-'))
  context.after(async () => {
    await metadata.close()
    rmSync(folder, { recursive: true })
  })
  for (const command of ['shutdown', 'sleep']) {
    writeFileSync(join(folder, command), '#!/bin/bash\nexit 0\n')
    chmodSync(join(folder, command), 0o755)
  }
  return {
    fake,
    read: (file: string) => readFileSync(join(folder, file), 'utf8'),
    async boot() {
      const script = join(folder, 'startup-script')
      writeFileSync(script, attributes['startup-script'] ?? '', { mode: 0o700 })
      const vm = spawn(script, {
        env: {
          PATH: `${folder}:/usr/bin:/bin`,
          OUT: join(folder, 'out'),
          CLOUD_TASKS_HOME: join(folder, 'home'),
          CLOUD_TASKS_SYSTEMD: join(folder, 'none'),
          GCE_METADATA_HOST: metadata.address,
          CLOUD_TASKS_GCP_COMPUTE_URL: fake.endpoint,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let console = ''
      for (const stream of [vm.stdout, vm.stderr]) stream.on('data', (chunk: Buffer) => (console += chunk))
      const [code] = await once(vm, 'close')
      return { code, console }
    },
  }
}

function scriptOf(startupScript: string): string {
  const config = {
    ...jobConfigWith({ provider: 'gcp', gcp: { job_id: JOB, queue_name: 'the-queue', startup_script: startupScript } }),
  }
  return renderGcpBootScript({ config, jobId: JOB, queueName: 'the-queue', projectId: PROJECT, region: 'us-central1' })
}

function attributesOf({ vms }: Awaited<ReturnType<typeof startGce>>): Record<string, string> {
  const [vm] = vms.list()
  const metadata = vm?.metadata
  const items = typeof metadata === 'object' && metadata !== null && 'items' in metadata ? metadata.items : []
  return Object.fromEntries((Array.isArray(items) ? items : []).map(({ key, value }) => [String(key), String(value)]))
}

function splitOnce(line: string): [string, string] {
  const at = line.indexOf('=')
  return [line.slice(0, at), line.slice(at + 1)]
}
