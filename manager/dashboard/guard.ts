// Who may talk to the dashboard: this machine's own browser, on the page's own address. Everything else is refused before it
// is looked at, because any page a browser has open can send requests to a server on loopback.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'

const MOST_BODY_BYTES = 1024

/** Sent with every answer. `'self'` is the only place from which anything is loaded. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'x-frame-options': 'DENY',
  'cache-control': 'no-store',
}

/**
 * A name that somebody lets point to 127.0.0.1 (DNS rebinding) shows in `Host`; another page shows in `Origin` or in
 * `Sec-Fetch-Site`, which no script can set.
 */
export function guard(portOf: () => number): MiddlewareHandler {
  return async (context, next) => {
    const port = portOf()
    const hosts = [`127.0.0.1:${port}`, `localhost:${port}`]
    const { method } = context.req
    const host = context.req.header('host') ?? ''
    const origin = context.req.header('origin')
    const site = context.req.header('sec-fetch-site') ?? 'none'
    if (!hosts.includes(host)) {
      context.res = context.json(
        { error: `Open this page as http://${hosts[0]}/: a forwarded port needs the same number.` },
        403,
      )
    } else if (origin !== undefined && !hosts.some(own => origin === `http://${own}`)) {
      context.res = context.json({ error: 'Requests of other pages are refused.' }, 403)
    } else if (site !== 'same-origin' && site !== 'none' && !isPlainVisit(context.req.raw)) {
      context.res = context.json({ error: 'Requests of other pages are refused.' }, 403)
    } else if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') {
      context.res = context.json({ error: `There is nothing to ${method} here.` }, 405)
    } else {
      await next()
    }
    for (const [name, value] of Object.entries(HEADERS)) context.res.headers.set(name, value)
  }
}

/** A link to the page from elsewhere may be followed. */
function isPlainVisit(request: Request): boolean {
  const { pathname } = new URL(request.url)
  return request.method === 'GET' && pathname === '/' && request.headers.get('sec-fetch-mode') === 'navigate'
}

export const smallBody: MiddlewareHandler = bodyLimit({
  maxSize: MOST_BODY_BYTES,
  onError: context => context.json({ error: `More than ${MOST_BODY_BYTES} bytes are no order.` }, 413),
})

/** In a time that says nothing of where two tokens differ. */
export function isToken(given: string | undefined, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given ?? ''), digest(token))
}
