// A file of Google credentials that the user names: the key of a service account, what "gcloud auth application-default login"
// leaves, or a workload identity of another provider.
import { readFileSync } from 'node:fs'
import type { AuthClient } from 'google-auth-library'
import { messageOf, UserError } from '../../core/errors.ts'
import { type Json, objectOf, textOf } from './rest-json.ts'

export interface CredentialsFile {
  readonly path: string
  readonly content: Json
}

/** Throws a UserError for what cannot be read or is no such file. */
export function readCredentialsFile(path: string): CredentialsFile {
  try {
    const content = objectOf(JSON.parse(readFileSync(path, 'utf8')))
    if (textOf(content.type) !== undefined) return { path, content }
  } catch (cause) {
    const says = cause instanceof SyntaxError ? 'is no JSON' : `cannot be read (${messageOf(cause)})`
    throw new UserError(`The Google credentials file ${path} ${says}. Check credentials_file.`, { cause })
  }
  throw new UserError(`${path} is no file of Google credentials: it has no "type". Check credentials_file.`)
}

export function projectOf({ content }: CredentialsFile): string | undefined {
  return textOf(content.project_id)
}

/** The SDK's own ways to read such a file warn on the terminal, and take types that we know nothing of. */
export async function clientOf({ path, content }: CredentialsFile, scopes: string[]): Promise<AuthClient> {
  const { ExternalAccountClient, JWT, UserRefreshClient } = await import('google-auth-library')
  const field = (name: string): string => {
    const value = textOf(content[name])
    if (value !== undefined) return value
    throw new UserError(`The Google credentials file ${path} has no "${name}". Check credentials_file.`)
  }
  switch (content.type) {
    case 'service_account':
      return new JWT({ email: field('client_email'), key: field('private_key'), scopes })
    case 'authorized_user': {
      const [clientId, clientSecret, refreshToken] = [
        field('client_id'),
        field('client_secret'),
        field('refresh_token'),
      ]
      return new UserRefreshClient({ clientId, clientSecret, refreshToken })
    }
    case 'external_account': {
      const options = {
        type: 'external_account',
        audience: field('audience'),
        subject_token_type: field('subject_token_type'),
      }
      const client = ExternalAccountClient.fromJSON({ ...content, ...options, token_url: field('token_url'), scopes })
      if (client !== null) return client
    }
  }
  throw new UserError(
    `The Google credentials file ${path} is of the type "${textOf(content.type)}", which cannot be used here. Name it in GOOGLE_APPLICATION_CREDENTIALS instead of credentials_file.`,
  )
}
