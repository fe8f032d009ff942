// The end of the last VMs when a stack is deleted, and the answer to CloudFormation.
import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import type { VmId } from '../../core/ids.ts'
import type { Vm } from '../../infra/provider.ts'
import { reportToStack } from '../../manager/serverless/custom-resource.ts'
import { endAllVms } from '../../manager/serverless/end-all-vms.ts'
import { vm } from './offers.ts'

describe('the VMs of a deleted stack', () => {
  /** They end so many seconds after they were told to. */
  function poolOf(vms: readonly Vm[], endingSeconds: number) {
    const clock = {
      nowMs: 0,
      now: () => clock.nowMs,
      sleep: async (ms: number) => {
        clock.nowMs += ms
      },
    }
    const toldMs = new Map<VmId, number>()
    const alive = ({ id }: Vm) => clock.nowMs < (toldMs.get(id) ?? Number.POSITIVE_INFINITY) + endingSeconds * 1000
    const late: Vm[] = []
    return {
      clock,
      late,
      toldMs,
      pool: {
        launch: async () => ({ launched: [], failures: [] }),
        list: async () => [...vms, ...late].map(one => (alive(one) ? one : { ...one, state: 'terminated' as const })),
        terminate: async (ids: readonly VmId[]) => {
          for (const id of ids) if (!toldMs.has(id)) toldMs.set(id, clock.nowMs)
        },
      },
    }
  }

  it('are ended, stopped ones too, and waited for', async () => {
    const vms = [vm(), vm({ state: 'starting' }), vm({ state: 'stopping' }), vm({ state: 'terminated' })]
    const { pool, clock, toldMs } = poolOf(vms, 90)
    const said: string[] = []
    await endAllVms(pool, { deadlineMs: 600_000, say: text => said.push(text), clock })
    assert.deepEqual(new Set(toldMs.keys()), new Set(vms.slice(0, 3).map(one => one.id)))
    assert.ok(clock.nowMs >= 90_000 && clock.nowMs < 120_000, `${clock.nowMs} ms`)
    assert.deepEqual(said, ['Ending 3 VMs'])
  })

  it('are looked for once more: a launch may have been under way', async () => {
    const { pool, clock, toldMs, late } = poolOf([], 10)
    const sleep = clock.sleep
    clock.sleep = async ms => {
      if (late.length === 0) late.push(vm({ state: 'starting' }))
      return sleep(ms)
    }
    await endAllVms(pool, { deadlineMs: 600_000, say: () => {}, clock })
    assert.equal(toldMs.size, 1)
  })

  it('that do not end in time are said to be there still', async () => {
    const { pool, clock } = poolOf([vm(), vm()], 1000)
    await assert.rejects(
      endAllVms(pool, { deadlineMs: 60_000, say: () => {}, clock }),
      /2 VMs are still ending: delete the stack once more in a few minutes/,
    )
    assert.ok(clock.nowMs <= 60_000)
  })
})

describe('the answer to CloudFormation', () => {
  const request = { RequestType: 'Delete', StackId: 's', RequestId: 'r', LogicalResourceId: 'l' } as const

  async function listen(t: TestContext, listener: RequestListener): Promise<string> {
    const server = createServer(listener)
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    t.after(() => server.close())
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/signed?a=b`
  }

  it('says why it failed', async t => {
    const bodies: string[] = []
    const ResponseURL = await listen(t, async (incoming, response) => {
      let body = ''
      for await (const chunk of incoming) body += chunk
      bodies.push(`${incoming.method} ${incoming.url} ${body}`)
      response.end()
    })
    await reportToStack({ ...request, ResponseURL }, { physicalId: 'p', reason: 'two VMs are left' })
    assert.deepEqual(bodies, [
      'PUT /signed?a=b {"Status":"FAILED","Reason":"two VMs are left","PhysicalResourceId":"p","StackId":"s","RequestId":"r","LogicalResourceId":"l"}',
    ])
  })

  it('is tried three times, and then given up with a sentence', async t => {
    let count = 0
    const ResponseURL = await listen(t, (_incoming, response) => {
      count += 1
      response.writeHead(500).end()
    })
    const answer = reportToStack({ ...request, ResponseURL }, { physicalId: 'p', reason: undefined })
    await assert.rejects(answer, /CloudFormation could not be answered: it said 500\./)
    assert.equal(count, 3)
  })
})
