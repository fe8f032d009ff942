// What a VM of Compute Engine fetches as it boots, and how it ends if it cannot: the bash of its startup script, run against a
// metadata server, a store and a service of secrets.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { BOOT_TOOLS } from '../../../infra/boot-tools.ts'
import { GCP_BOOT_TOOLS } from '../../../infra/gcp/boot-tools.ts'
import { GcpPool } from '../../../infra/gcp/pool.ts'
import { startGce } from '../../support/gce-fake.ts'
import { startGceMetadata } from '../../support/gce-metadata-fake.ts'
import { until } from '../../support/processes.ts'
import { settingsOn } from './gce-pool.ts'

const TOKEN = 'ya29.c.a0-b_c'
const NAME = 'rmscr-job-1-0123456789abcdefghijklmno'
const LIMIT_MS = 60_000

describe('gcp: tools at boot', { timeout: LIMIT_MS, concurrency: true }, () => {
  it("fetch from Cloud Storage with the VM's own token, whatever characters the key has", async context => {
    const google = await fakeGoogle(context, { 'bucket/jobs/ä b+c%.tgz': 'the bundle' })
    const vm = await bootedVm(context, { STORAGE_EMULATOR_HOST: google.url })
    await vm.run(`ct_fetch_store 'gs://bucket/jobs/ä b+c%.tgz' '${vm.file('bundle')}'`)
    assert.equal(readFileSync(vm.file('bundle'), 'utf8'), 'the bundle')
    assert.deepEqual(google.tokens, [TOKEN])
  })

  it('fail with a sentence where there is nothing to fetch, or no address', async context => {
    const google = await fakeGoogle(context, {})
    const vm = await bootedVm(context, { STORAGE_EMULATOR_HOST: google.url.replace('http://', '') })
    await assert.rejects(vm.run(`ct_fetch_store gs://bucket/none '${vm.file('x')}'`), /404/)
    await assert.rejects(vm.run(`ct_fetch_store s3://bucket/none '${vm.file('x')}'`), /is no address of Cloud Storage/)
  })

  it('read a secret by its name, its path or one version of it, byte for byte', async context => {
    const secret = 'two\nlines, "quotes" and an end\n\n'
    const google = await fakeGoogle(context, {
      'projects/test-project/secrets/key/versions/latest': secret,
      'projects/other/secrets/key/versions/latest': 'other',
      'projects/other/secrets/key/versions/3': 'third',
    })
    const vm = await bootedVm(context, { CLOUD_TASKS_GCP_SECRET_MANAGER_URL: google.url })
    const read = (address: string) => vm.run(`ct_read_secret '${address}'`)
    assert.equal(await read('key'), secret)
    assert.equal(await read('projects/other/secrets/key'), 'other')
    assert.equal(await read('projects/other/secrets/key/versions/3'), 'third')
    await assert.rejects(read('nothing'), /404/)
  })

  it('delete a VM that cannot work, before it is shut down, and whoever lists it knows that it did', async context => {
    const compute = await startGce()
    context.after(() => compute.close())
    compute.vms.add('us-central1-a', { name: NAME, machineType: 'n2-standard-2' })
    const pool = new GcpPool(settingsOn(compute), { jobId: 'job-1' })
    await pool.list()
    const vm = await bootedVm(context, { CLOUD_TASKS_GCP_COMPUTE_URL: compute.endpoint })
    await assert.rejects(vm.run('ct_power_off "no task"'), /powering off: no task/)
    await until('its end', () => compute.vms.list().length === 0)
    assert.equal((await pool.list())[0]?.endReason, 'powered off')
    assert.equal(readFileSync(vm.file('shutdown.log'), 'utf8').trim(), '-h now')
  })

  it('shut a VM down that may not delete itself, and say what that leaves', async context => {
    const vm = await bootedVm(context, { CLOUD_TASKS_GCP_COMPUTE_URL: 'http://127.0.0.1:1' })
    await assert.rejects(vm.run('ct_power_off "no task"'), /cannot delete itself: its disk stays/)
    assert.equal(readFileSync(vm.file('shutdown.log'), 'utf8').trim(), '-h now')
  })
})

interface BootedVm {
  file(name: string): string
  /** What the command prints. Rejects with what it says on stderr. */
  run(command: string): Promise<string>
}

async function bootedVm(context: TestContext, env: Readonly<Record<string, string>>): Promise<BootedVm> {
  const metadata = await startGceMetadata({ accessToken: TOKEN, name: NAME })
  const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-vm-'))
  context.after(async () => {
    await metadata.close()
    rmSync(folder, { recursive: true })
  })
  const file = (name: string) => join(folder, name)
  // In the place of those that would end this host, or wait for its end.
  writeFileSync(file('shutdown'), `#!/bin/bash\necho "$*" >> '${file('shutdown.log')}'\n`)
  writeFileSync(file('sleep'), '#!/bin/bash\nexit 0\n')
  for (const name of ['shutdown', 'sleep']) chmodSync(file(name), 0o755)
  return {
    file,
    async run(command) {
      const { stdout } = await promisify(execFile)('bash', ['-c', `${BOOT_TOOLS}\n${GCP_BOOT_TOOLS}\n${command}`], {
        env: {
          PATH: `${folder}:/usr/bin:/bin`,
          LANG: 'C.UTF-8',
          CLOUD_TASKS_SYSTEMD: file('none'),
          GCE_METADATA_HOST: metadata.address,
          ...env,
        },
      })
      return stdout
    },
  }
}

/** Objects by bucket and key, and secrets by their path; both only for the VM's token. */
async function fakeGoogle(context: TestContext, contents: Readonly<Record<string, string>>) {
  const tokens: string[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://google')
    const token = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1]
    tokens.push(token ?? '')
    const object = /^\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)$/.exec(url.pathname)
    const secret = /^\/v1\/(.+):access$/.exec(url.pathname)
    const key = object === null ? (secret?.[1] ?? '') : `${object[1]}/${decodeURIComponent(object[2] ?? '')}`
    const content = contents[key]
    if (token !== TOKEN) return void response.writeHead(401).end()
    if (content === undefined) return void response.writeHead(404).end()
    if (object !== null)
      return void response.writeHead(url.searchParams.get('alt') === 'media' ? 200 : 400).end(content)
    const payload = { data: Buffer.from(content).toString('base64'), dataCrc32c: '1' }
    response.writeHead(200).end(JSON.stringify({ name: key, payload }, null, 2))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { url: `http://127.0.0.1:${address.port}`, tokens }
}
