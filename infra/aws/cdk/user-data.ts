// The startup script as EC2 takes it: at most 16 KiB, so a longer one is packed by a script that unpacks and runs it.
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { Fn, Token, Tokenization } from 'aws-cdk-lib'
import { UserError } from '../../../core/errors.ts'

const MAX_BYTES = 16_384 // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html: before base64
const TOKEN_BYTES = 200 // left for each value that only the deployment knows, such as the name of a bucket
const LINE_CHARS = 76

/** Base64, as the launch template wants it. Throws a UserError if no packing makes the script short enough. */
export function userDataOf(script: string): string {
  if (byteCountOf(script) <= MAX_BYTES) return Fn.base64(script)
  const packed = packScript(script)
  const byteCount = byteCountOf(packed)
  if (byteCount <= MAX_BYTES) return Fn.base64(packed)
  throw new UserError(
    `The startup script has ${byteCount} bytes even when it is packed, and EC2 takes ${MAX_BYTES}: put what is long into ` +
      'a file that the script fetches, or into the bundle.',
  )
}

function byteCountOf(script: string): number {
  const tokens = tokensOf(script)
  const plain = tokens.reduce((text, token) => text.replaceAll(token, ''), script)
  return Buffer.byteLength(plain) + tokens.length * TOKEN_BYTES
}

function tokensOf(text: string): string[] {
  if (!Token.isUnresolved(text)) return []
  return Tokenization.reverseString(text).tokens.map(token => Token.asString(token))
}

/** What only the deployment knows cannot be compressed now: it stands outside, and is put in when the script is unpacked. */
function packScript(script: string): string {
  const tokens = [...new Set(tokensOf(script))]
  const mark = `@${createHash('sha256').update(script).digest('hex').slice(0, 16)}`
  const marked = tokens.reduce((text, token, index) => text.replaceAll(token, `${mark}-${index}@`), script)
  const lines = gzipSync(marked, { level: 9 })
    .toString('base64')
    .match(new RegExp(`.{1,${LINE_CHARS}}`, 'g'))
  const fill = tokens.map((token, index) => ` -e 's|${mark}-${index}@|${token}|g'`).join('')
  return `#!/bin/bash
# Packed, because user data ends at 16 KiB. To read it: base64 -d | gzip -d
script=$(mktemp) && base64 -d <<'PACKED' | gzip -d | sed -e ''${fill} > "$script"
${lines?.join('\n') ?? ''}
PACKED
bash "$script"
code=$?
rm -f "$script"
exit $code
`
}
