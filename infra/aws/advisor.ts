// The spot advisor of AWS: how often spot VMs of a type are taken back in a region, and how much they save, over a month.
import { z } from 'zod'
import { messageOf, UserError } from '../../core/errors.ts'

/** Public, without credentials. https://aws.amazon.com/ec2/spot/instance-advisor */
const ADVISOR_URL = 'https://spot-bid-advisor.s3.amazonaws.com/spot-advisor-data.json'
const ADVISOR_URL_VARIABLE = 'CLOUD_TASKS_SPOT_ADVISOR_URL'
const ANSWER_MS = 10_000

/** The middle of each of its bands: below 5 %, 5–10 %, 10–15 %, 15–20 %, above. */
const BAND_SHARES = [0.025, 0.075, 0.125, 0.175, 0.25]

const answerSchema = z.object({
  spot_advisor: z.record(
    z.string(),
    z.object({
      Linux: z
        .record(z.string(), z.object({ r: z.number().int().nonnegative(), s: z.number().min(0).max(100) }))
        .optional(),
    }),
  ),
})

export const adviceSchema = z.record(z.string(), z.object({ interruptionShare: z.number(), savingsShare: z.number() }))
/** By instance type. Shares from 0 to 1. */
export type SpotAdvice = z.infer<typeof adviceSchema>

export function advisorUrl(env: Readonly<Record<string, string | undefined>>): string {
  return env[ADVISOR_URL_VARIABLE] || ADVISOR_URL
}

export async function loadAdvice(url: string, region: string): Promise<SpotAdvice> {
  const { spot_advisor: regions } = await readAdvisor(url)
  return Object.fromEntries(
    Object.entries(regions[region]?.Linux ?? {}).map(([type, { r, s }]) => [
      type,
      { interruptionShare: BAND_SHARES[Math.min(r, BAND_SHARES.length - 1)] ?? 0, savingsShare: s / 100 },
    ]),
  )
}

async function readAdvisor(url: string): Promise<z.infer<typeof answerSchema>> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) })
    if (!response.ok) throw new Error(`it answered ${response.status}`)
    return answerSchema.parse(await response.json())
  } catch (error) {
    // fetch says only that it failed; why is in its cause. What a wrong answer lacks is of no use to anybody.
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const said = error instanceof z.ZodError || error instanceof SyntaxError ? 'not its usual JSON' : messageOf(reason)
    throw new UserError(`The spot advisor at ${url} cannot be read: ${said}.`, { cause: error })
  }
}
