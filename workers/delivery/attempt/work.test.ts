import { expect, it } from 'vitest'
import { header } from '../../../core/notification/envelope.ts'
import { recordOf } from '../../../test/harness/fakes/scripted-delivery.ts'
import { readWork } from './work.ts'

it('leaves a record of a newer version alone', () => {
  expect(readWork(recordOf({}, { [header.version]: '2' }))).toEqual({
    kind: 'unknown_version',
    version: '2',
  })
})
