import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { type Answer, openServeBench, type RunningServer } from './serve-run.ts'

interface Document {
  readonly openapi: string
  readonly paths: Record<string, Record<string, Operation>>
}
interface Operation {
  readonly requestBody?: unknown
  readonly responses: Record<string, { readonly content: Record<string, unknown> }>
}

describe('the OpenAPI document', { timeout: 60_000 }, () => {
  it('is valid OpenAPI 3.1 and needs no key', async () => {
    await using bench = await openServeBench()
    const server = await bench.start()
    const { status, json } = await server.ask('/openapi.json', undefined, { key: undefined })
    assert.equal(status, 200)
    const { valid, errors } = await new Validator().validate(json)
    assert.ok(valid, JSON.stringify(errors))
    assert.match(json.openapi, /^3\.1\./)
  })

  it('describes the real answers of every operation, the refusals too', async () => {
    await using bench = await openServeBench()
    const server = await bench.start('--retry-on-exception')
    const document: Document = (await server.ask('/openapi.json')).json
    const check = checker(document)
    const seen = new Set<string>()
    const see = async (method: string, path: string, asked: Promise<Answer>, expected: number) => {
      const answer = await asked
      assert.equal(answer.status, expected, `${method} ${path}: ${JSON.stringify(answer.json)}`)
      check(method, path, answer)
      seen.add(`${method} ${path} ${answer.status}`)
      return answer
    }
    const { ask } = server
    await see('post', '/tasks', ask('/tasks', { id: 'a', type: 't', parameters: { x: 1 }, priority: 'high' }), 201)
    await see('post', '/tasks', ask('/tasks', { tasks: [{ id: 'b' }, { id: 'c' }] }), 201)
    await see('post', '/tasks', ask('/tasks', { id: 'b' }), 409)
    await see('post', '/tasks', ask('/tasks', { priority: 'urgent' }), 400)
    await see('get', '/tasks', ask('/tasks?limit=2'), 200)
    await see('get', '/tasks', ask('/tasks?limit=many'), 400)
    await see('post', '/tasks/claim', server.claim(), 200)
    await see('post', '/tasks/claim', ask('/tasks/claim', {}), 400)
    await see('post', '/tasks/claim', ask('/tasks/claim', {}, { key: 'not-a-key-of-anybody' }), 401)
    await see('post', '/tasks/{id}/heartbeat', ask('/tasks/a/heartbeat', { checkpoint: [1] }), 200)
    await see('post', '/tasks/{id}/complete', ask('/tasks/a/complete', { result: { any: ['json', null] } }), 200)
    await see('post', '/tasks/{id}/complete', ask('/tasks/a/complete', { claim_id: 'another' }), 409)
    await see('post', '/tasks/{id}/complete', ask('/tasks/nobody/complete', {}), 404)
    await see('post', '/tasks/claim', server.claim(), 200)
    await see('post', '/tasks/{id}/fail', ask('/tasks/b/fail', { error: 'x', retryable: true }), 200)
    await see('post', '/tasks/{id}/fail', ask('/tasks/b/fail', {}), 400)
    await see('post', '/tasks/claim', server.claim(), 200)
    await see('post', '/tasks/claim', server.claim(), 200)
    await see('post', '/tasks/claim', server.claim(), 404)
    for (const id of ['a', 'b', 'c']) await see('get', '/tasks/{id}', ask(`/tasks/${id}`), 200)
    await see('get', '/tasks/{id}', ask('/tasks/nobody'), 404)
    await see('get', '/health', ask('/health'), 200)
    await see('get', '/metrics', ask('/metrics'), 200)
    await see('get', '/openapi.json', ask('/openapi.json'), 200)
    const operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, { responses }]) => `${method} ${path} ${Object.keys(responses)[0]}`),
    )
    assert.deepEqual(
      operations.filter(operation => !seen.has(operation)),
      [],
    )
  })

  it('knows every status that the server answers a bad request with', async () => {
    await using bench = await openServeBench()
    const server = await bench.start()
    const { paths }: Document = (await server.ask('/openapi.json')).json
    for (const [path, item] of Object.entries(paths)) {
      for (const [method, operation] of Object.entries(item)) {
        if (operation.requestBody === undefined) continue
        assert.equal(await statusOf(server, path, method, 'not JSON'), 400)
        for (const status of ['400', '401', '413', '503']) assert.ok(status in operation.responses, `${path} ${status}`)
      }
    }
  })
})

async function statusOf(server: RunningServer, path: string, method: string, body: string): Promise<number> {
  assert.equal(method, 'post')
  return (await server.ask(path.replace('{id}', 'x'), body)).status
}

function checker(document: Document): (method: string, path: string, answer: Answer) => void {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema(document, 'document')
  return (method, path, { status, json }) => {
    const response = document.paths[path]?.[method]?.responses[status]
    assert.ok(response, `${method} ${path} ${status} is not described`)
    const type = Object.keys(response.content)[0] ?? ''
    const steps = ['paths', path, method, 'responses', String(status), 'content', type, 'schema']
    const pointer = steps.map(step => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')
    const validate = ajv.compile({ $ref: `document#/${pointer}` })
    assert.ok(validate(json), `${method} ${path} ${status}: ${JSON.stringify(validate.errors)}`)
  }
}
