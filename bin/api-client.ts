import { StartRefused } from '../core/settings/start-refused.ts'

/** The API could not be reached, or could not answer now: the same request may succeed later. */
export class ApiAway extends StartRefused {}

/** Milliseconds for one answer. */
const timeout = 30_000

export type Ask = <T>(
  method: 'GET' | 'POST',
  path: string,
  body?: object,
  headers?: Readonly<Record<string, string>>,
) => Promise<T>

/** Asks the API at this address. Throws StartRefused with what the API says is wrong, ApiAway when it cannot be reached. */
export function askApi(url: string): Ask {
  return async <T>(...[method, path, body, headers = {}]: Parameters<Ask>): Promise<T> => {
    const response = await fetch(url + path, {
      method,
      signal: AbortSignal.timeout(timeout),
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw new ApiAway(`${url} cannot be reached: ${causeOf(error)}`, 1, { cause: error })
    })
    const answer: unknown = await response.json().catch(() => undefined)
    if (response.ok && answer !== undefined) return answer as T
    throw refusal(url, response.status, answer)
  }
}

function causeOf(error: unknown): string {
  const { cause, name } = error as { cause?: { code?: string; message?: string }; name: string }
  return cause?.code ?? cause?.message ?? name
}

interface Problem {
  detail?: string
  errors?: { pointer?: string; header?: string; detail?: string }[]
}

function refusal(url: string, status: number, answer: unknown): StartRefused {
  const { detail, errors = [] } = (answer ?? {}) as Problem
  if (status >= 500) return new ApiAway(`${url} answers ${status}: ${detail ?? 'no more is said'}`)
  if (errors.length === 0) return new StartRefused(detail ?? `${url} answers ${status}: is it a Carillon?`)
  return new StartRefused(
    errors.map(({ pointer, header, detail }) => `${pointer ?? header}: ${detail}`).join('\n'),
    2,
  )
}
