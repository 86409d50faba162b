import type { Dispatcher } from 'undici'

export interface HttpRequest {
  url: URL
  headers: Record<string, string>
  body: string
}

/** How far a request got: what decides whether it may be repeated. */
export type HttpExchange =
  | { phase: 'answered'; status: number; retryAfter?: string }
  | { phase: 'not_sent' | 'unanswered'; error: Error }

/** Bytes of an answer that are read, so that the connection can be used again. After more it is dropped. */
const maxAnswerBytes = 64 * 1024

/**
 * Posts once: no redirect is followed and nothing is repeated. The answer's body is read and thrown away. Ends at the abort of
 * `signal`, after which nothing more is written. Once the status is known it stands, whatever happens to the rest.
 */
export function post(
  dispatcher: Dispatcher,
  request: HttpRequest,
  signal: AbortSignal,
): Promise<HttpExchange> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ phase: 'not_sent', error: abortError() })

    let written: Dispatcher.DispatchController | undefined
    let answer: HttpExchange | undefined
    let received = 0

    /** @param why there is no status, if there is none: an error is not cheap to make */
    function finish(why: () => Error): void {
      signal.removeEventListener('abort', onAbort)
      resolve(answer ?? { phase: written === undefined ? 'not_sent' : 'unanswered', error: why() })
    }
    function onAbort(): void {
      finish(abortError)
      written?.abort(abortError())
    }
    signal.addEventListener('abort', onAbort)

    dispatcher.dispatch(
      {
        origin: request.url.origin,
        path: request.url.pathname + request.url.search,
        method: 'POST',
        headers: request.headers,
        body: request.body,
      },
      {
        // Called when a connection is there, right before the request is written to it.
        onRequestStart(controller) {
          if (signal.aborted) controller.abort(abortError())
          else written = controller
        },
        onResponseStart(_controller, status, headers) {
          if (status < 200) return
          const retryAfter = headers['retry-after']
          answer = { phase: 'answered', status, ...(typeof retryAfter === 'string' && { retryAfter }) }
        },
        onResponseData(controller, chunk) {
          received += chunk.length
          if (received > maxAnswerBytes) controller.abort(new Error('the answer is too long'))
        },
        onResponseEnd() {
          finish(() => new Error('ended without a status'))
        },
        onResponseError(_controller, error) {
          finish(() => error)
        },
      },
    )
  })
}

function abortError(): Error {
  return Object.assign(new Error('the time for this send is over'), { code: 'aborted' })
}
