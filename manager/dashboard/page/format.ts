// Turns figures into the words and digits that the page shows. Times are local to the reader.

const LOCALE = 'en-US'
const WHOLE = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 })
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const CLOCK_SECONDS = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })

export const UNKNOWN = '–'

export function formatCount(value: number): string {
  return WHOLE.format(value)
}

/** `1.2 M`, `35 k`, `812`: where there is no room for digits. */
export function formatShort(value: number): string {
  const size = Math.abs(value)
  if (size >= 1e6) return `${trim(value / 1e6)} M`
  if (size >= 10_000) return `${trim(value / 1e3)} k`
  return size >= 100 || Number.isInteger(value) ? WHOLE.format(value) : trim(value)
}

/** 100 % is said only when it is true. */
export function formatPercent(part: number, whole: number): string {
  if (whole <= 0) return '0 %'
  const percent = (part / whole) * 100
  if (part >= whole) return '100 %'
  if (part > 0 && percent < 0.1) return '< 0.1 %'
  return `${Math.min(99.9, Math.floor(percent * 10) / 10).toFixed(1)} %`
}

/** Cents matter for small jobs, so small sums keep their digits. */
export function formatUsd(usd: number): string {
  if (usd === 0) return '$0'
  if (Math.abs(usd) >= 1000) return `$${WHOLE.format(usd)}`
  if (Math.abs(usd) >= 0.995) return `$${usd.toFixed(2)}`
  if (Math.abs(usd) >= 0.01) return `$${usd.toFixed(3)}`
  return `$${Number(usd.toPrecision(2)).toFixed(Math.min(8, 1 - Math.floor(Math.log10(Math.abs(usd)))))}`
}

export function formatRate(perSecond: number): string {
  if (perSecond >= 10) return `${WHOLE.format(perSecond)}`
  return perSecond === 0 ? '0' : perSecond.toPrecision(2)
}

/** `2 d 03 h`, `1 h 05 min`, `3 min 20 s`, `12.4 s`, `35 ms`. */
export function formatDuration(seconds: number): string {
  if (seconds < 0.001) return seconds <= 0 ? '0 s' : `${(seconds * 1e6).toFixed(0)} µs`
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 59.95) return `${Number(seconds.toFixed(1))} s`
  const whole = Math.round(seconds)
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor((whole % 86_400) / 3600),
    Math.floor((whole % 3600) / 60),
  ]
  if (days > 0) return `${days} d ${two(hours)} h`
  if (hours > 0) return `${hours} h ${two(minutes)} min`
  return `${minutes} min ${two(whole % 60)} s`
}

/** With the day if it is another one than today. */
export function formatTime(at: Date, { seconds = false, today = new Date() } = {}): string {
  const clock = (seconds ? CLOCK_SECONDS : CLOCK).format(at)
  return at.toDateString() === today.toDateString() ? clock : `${DAY.format(at)}, ${clock}`
}

export function formatBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`
  if (bytes >= 1e6) return `${Math.round(bytes / 1e6)} MB`
  return `${Math.max(1, Math.round(bytes / 1e3))} kB`
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`
}

function trim(value: number): string {
  return String(Number(value.toPrecision(3)))
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
