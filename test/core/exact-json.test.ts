import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseExactJson } from '../../core/exact-json.ts'

describe('JSON that is handed on', () => {
  it('keeps every digit of every number', () => {
    for (const text of [
      '{"a":12345678901234567890,"b":[0.1,1e400,-0.123456789012345678901]}',
      '1.0',
      '{"big":1e21}',
      '[100000000000000000000000]',
    ]) {
      assert.equal(JSON.stringify(parseExactJson(text)), text === '1.0' ? '1' : text)
    }
  })

  it('is otherwise what JSON.parse makes of it', () => {
    const text = '{"a":[1,2.5,null,true,"123456789012345678"],"b":{"c":""}}'
    assert.deepEqual(parseExactJson(text), JSON.parse(text))
    assert.throws(() => parseExactJson('{'), SyntaxError)
  })
})
