// Which AWS region is meant: the job's, the environment's, or that of the user's AWS profile.
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { codeOf, UserError } from '../../core/errors.ts'
import type { ProviderSettings } from '../open-provider.ts'

/** Throws a UserError where nobody says. */
export function awsRegion(settings: ProviderSettings): string {
  const region = awsRegionIfKnown(settings)
  if (region !== undefined) return region
  throw new UserError(
    'The AWS region is not known: set "region" in the aws section of the job file, --region, or AWS_REGION.',
  )
}

/** Throws a UserError where it cannot be the name of one. */
export function awsRegionIfKnown(settings: ProviderSettings): string | undefined {
  const { env } = settings
  const region = settings.region || env.AWS_REGION || env.AWS_DEFAULT_REGION || profileRegion(env)
  if (!region) return undefined
  if (!/^[a-z0-9-]+$/.test(region)) {
    throw new UserError(`"${region}" is not the name of an AWS region. Give one such as us-east-1.`)
  }
  return region
}

/** https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html */
function profileRegion(env: ProviderSettings['env']): string | undefined {
  const profile = env.AWS_PROFILE || 'default'
  const path = env.AWS_CONFIG_FILE || join(env.HOME || homedir(), '.aws', 'config')
  const wanted = profile === 'default' ? ['default', 'profile default'] : [`profile ${profile}`]
  let inside = false
  for (const line of readConfig(path).split(/\r?\n/)) {
    const section = /^\s*\[\s*([^\]]*?)\s*\]/.exec(line)?.[1]
    if (section !== undefined) inside = wanted.includes(section.replaceAll(/\s+/g, ' ').replaceAll(/["']/g, ''))
    const value = /^region\s*=\s*(\S+)/.exec(line)?.[1]
    if (inside && value !== undefined) return value
  }
  return undefined
}

function readConfig(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    // Without the file, or the right to read it, there is simply nothing in it for us.
    if (['ENOENT', 'EACCES', 'ENOTDIR', 'EISDIR'].includes(codeOf(error) ?? '')) return ''
    throw error
  }
}
