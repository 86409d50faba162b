import { LiquidError, UndefinedVariableError } from 'liquidjs'

/** What is wrong with a text. `detail` is one line and holds words of the template only, never data. */
export interface TextProblem {
  /** Line within the text, from 1. */
  line?: number
  detail: string
}

/** Describes an error of parsing: it speaks of the template alone. */
export function describeParseError(error: unknown): TextProblem {
  return { ...lineOf(error), detail: oneLine(isTooDeep(error) ? tooDeep : originOf(error).message) }
}

/**
 * Describes an error of rendering a text. Such an error may quote data (a time zone, or a property that `where` was told to look
 * up), so only fixed messages and words that stand in the source are passed on.
 */
export function describeRenderError(error: unknown, source: string): TextProblem {
  return { ...lineOf(error, source), detail: oneLine(detailOf(error, source)) }
}

const tooDeep = 'nested too deeply'

function detailOf(error: unknown, source: string): string {
  const cause = originOf(error)
  if (isTooDeep(error)) return tooDeep
  if (error instanceof UndefinedVariableError) {
    return error.token.input === source
      ? `undefined variable: ${error.token.getText()}`
      : 'undefined variable'
  }
  return cause.name === 'AssertionError' ? cause.message : `cannot be evaluated (${cause.name})`
}

function isTooDeep(error: unknown): boolean {
  const cause = originOf(error)
  return cause instanceof RangeError && cause.message.includes('call stack')
}

/** A token that was made of data has a position in the data. */
function lineOf(error: unknown, source?: string): { line?: number } {
  if (!LiquidError.is(error) || (source !== undefined && error.token.input !== source)) return {}
  const [line] = error.token.getPosition()
  return line === undefined ? {} : { line }
}

/** The error as it was thrown, before LiquidJS wrote the position into its message. */
function originOf(error: unknown): Error {
  if (!(error instanceof Error)) return new Error('unknown error')
  const { originalError } = error as { originalError?: unknown }
  return originalError instanceof Error ? originalError : error
}

/** The position that LiquidJS appends is told apart as `line`. */
function oneLine(text: string): string {
  return text
    .replace(/, line:\d+, col:\d+$/, '')
    .replaceAll(/[\r\n]+/g, ' ')
    .slice(0, 300)
}
