// An EC2 VM passes the suite of all instances while its metadata service fails, is slow, hangs up and forgets its tokens.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { vmId } from '../../../core/ids.ts'
import { AwsInstance } from '../../../infra/aws/instance.ts'
import { instanceConformance } from '../../conformance/instance-suite.ts'
import { lostAnswer, lostRequest, refusal, silence, slowAnswer, startFaultProxy } from '../../support/fault-proxy.ts'
import { startImds } from '../../support/imds-fake.ts'
import { until } from '../../support/processes.ts'

const POWER_OFF_PROGRAM = join(import.meta.dirname, '../../infra/aws/powers-off.ts')
const ENDS_ITS_GROUP = '#!/bin/bash\nPATH=/usr/bin:/bin\nkill -9 -- -$(ps -o pgid= -p $$ | tr -d " ")\n'
const NOTHING = { headers: { 'content-type': 'text/plain' }, body: Buffer.alloc(0) }
const FAULTS = [
  refusal('server error', 0.06, { status: 500, ...NOTHING }),
  refusal('throttled', 0.06, { status: 503, ...NOTHING }), // as the service says it
  refusal('forgotten token', 0.04, { status: 401, ...NOTHING }),
  lostRequest(0.06),
  lostAnswer(0.05),
  slowAnswer(0.06, { pieces: 2, pauseMs: 50 }),
  silence(0.02),
]

instanceConformance('aws with a metadata service that fails now and then', async () => {
  const imds = await startImds()
  const proxy = await startFaultProxy({ upstream: imds.endpoint, seed: 5, faults: FAULTS })
  const env = { AWS_EC2_METADATA_SERVICE_ENDPOINT: proxy.url }
  const bin = await mkdtemp(join(tmpdir(), 'cloud-tasks-vm-'))
  await writeFile(join(bin, 'shutdown'), ENDS_ITS_GROUP)
  await chmod(join(bin, 'shutdown'), 0o755)
  return {
    instance: new AwsInstance({ env }, { pollSeconds: 0.01 }),
    expected: {
      id: vmId('i-0123456789abcdef0'),
      instanceType: 'c5.large',
      region: 'us-east-1',
      zone: 'us-east-1a',
      spot: true,
    },
    noticeWithinSeconds: 10,
    async giveNotice() {
      // The agent looks for notices again and again: by now through each of them.
      await until('each fault has struck', () => FAULTS.every(({ name }) => proxy.struck.has(name)))
      imds.fail(4) // more than one read tries
      imds.forgetTokens()
      imds.interrupt()
    },
    async powerOffFromInside() {
      imds.fail(2)
      const vm = spawn(process.execPath, [POWER_OFF_PROGRAM], {
        detached: true,
        env: { PATH: [bin, dirname(process.execPath)].join(delimiter), ...env },
        stdio: ['ignore', 'inherit', 'inherit'],
      })
      const [, signal] = await once(vm, 'exit')
      assert.equal(signal, 'SIGKILL')
    },
    async close() {
      await proxy.close()
      await imds.close()
      await rm(bin, { recursive: true })
    },
  }
})
