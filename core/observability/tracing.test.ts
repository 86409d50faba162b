import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { describe, expect, it } from 'vitest'
import { failureName, readTrace, replaceTrace, tracer, writeTrace } from './tracing.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

describe('a trace in headers', () => {
  it('travels through the spans of a process that makes none, unchanged', () => {
    const parent = readTrace({ traceparent, tracestate: 'vendor=1' })
    const span = tracer.startSpan('hop', {}, parent)
    expect(span.isRecording()).toBe(false)
    expect(writeTrace(trace.setSpan(parent, span))).toEqual({ traceparent, tracestate: 'vendor=1' })
  })

  it('is absent where there is none, and where its header has another form', () => {
    const bad = [
      '00-0-0-0',
      `${traceparent}-x`,
      traceparent.toUpperCase(),
      `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    ]
    for (const header of [undefined, [traceparent], ...bad]) {
      const read = readTrace({ traceparent: header, tracestate: 'vendor=1' })
      expect(writeTrace(trace.setSpan(read, tracer.startSpan('hop', {}, read)))).toEqual({})
    }
    expect(writeTrace(context.active())).toEqual({})
  })

  it('has no state longer than what everybody must carry', () => {
    expect(writeTrace(readTrace({ traceparent, tracestate: `v=${'x'.repeat(511)}` }))).toEqual({
      traceparent,
    })
  })

  it('takes the place of another as a whole, and leaves it where there is no other', () => {
    const headers = { traceparent: 'old', tracestate: 'old', 'carillon-attempt': '2' }
    expect(replaceTrace(headers, { traceparent })).toEqual({ traceparent, 'carillon-attempt': '2' })
    expect(replaceTrace(headers, writeTrace(ROOT_CONTEXT))).toBe(headers)
  })
})

it('names a failure by its code or kind, never by its text', () => {
  expect(failureName(Object.assign(new Error('to ada@example.com'), { code: 'ECONNRESET' }))).toBe(
    'ECONNRESET',
  )
  expect(failureName(new TypeError('to ada@example.com'))).toBe('TypeError')
  expect(failureName('to ada@example.com')).toBe('string')
})
