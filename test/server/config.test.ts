import { describe, expect, test } from 'vitest'
import { helpText } from '../../server/src/commands/help.ts'
import { ERRORS } from '../../server/src/common/errors.ts'
import { type Config, configFromProcess, optionFacts, parseOptions } from '../../server/src/config/config.ts'
import { CLOSE } from '../../server/src/peers/close-codes.ts'
import { paper } from '../support/papers.ts'
import { withTables } from '../support/readme.ts'

/** What goes wrong, as [code, message]. */
function refusal(act: () => Config): [unknown, string] {
  try {
    act()
  } catch (error) {
    if (error instanceof Error && 'code' in error) return [error.code, error.message]
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('precedence', () => {
  const env = { COEDIT_PORT: '2000', COEDIT_MAX_GATHER_MS: '12.5' }

  test('without anything every option has its default', () => {
    const defaults = Object.fromEntries(optionFacts.map((facts) => [facts.name, facts.default]))
    expect(configFromProcess([], {})).toEqual(defaults)
    expect(parseOptions({})).toEqual(defaults)
    expect(defaults).toMatchObject({ port: 1234, host: '127.0.0.1', insecureNoAuth: false, maxMessageBytes: 2 ** 26 })
  })

  test('a variable wins over the default, a flag over the variable, the last flag over the first', () => {
    expect(configFromProcess([], env)).toMatchObject({ port: 2000, maxGatherMs: 12.5 })
    expect(configFromProcess(['--port', '3000'], env)).toMatchObject({ port: 3000, maxGatherMs: 12.5 })
    expect(configFromProcess(['--port=3000', '--port', '3001'], env).port).toBe(3001)
  })

  test('an empty variable counts as unset, other variables are not looked at', () => {
    expect(configFromProcess([], { COEDIT_PORT: '', COEDIT_TEST_RUNS: '3', TCP_PORT: '9' }).port).toBe(1234)
  })

  test.each([
    [['--insecure-no-auth'], {}, true],
    [['--insecure-no-auth=false'], { COEDIT_INSECURE_NO_AUTH: 'true' }, false],
    [[], { COEDIT_INSECURE_NO_AUTH: '1' }, true],
    [[], { COEDIT_INSECURE_NO_AUTH: '0' }, false],
  ])('a switch: %j with %j is %s', (argv, variables, expected) => {
    expect(configFromProcess(argv, variables).insecureNoAuth).toBe(expected)
  })

  test('PORT and HOST of a platform count below all that is our own', () => {
    const platform = { PORT: '8080', HOST: '::1' }
    expect(configFromProcess([], platform)).toMatchObject({ port: 8080, host: '::1' })
    expect(configFromProcess([], { ...platform, COEDIT_PORT: '4000' })).toMatchObject({ port: 4000, host: '::1' })
    expect(configFromProcess(['--host', 'localhost'], { ...platform, COEDIT_PORT: '' })).toMatchObject({
      port: 8080,
      host: 'localhost',
    })
    expect(refusal(() => configFromProcess([], { PORT: 'tcp://x' }))).toEqual([
      'OPTION_INVALID',
      expect.stringContaining("PORT is 'tcp://x'"),
    ])
    expect(refusal(() => configFromProcess([], { HOST: '0.0.0.0' }))[0]).toBe('HOST_NEEDS_AUTH')
  })

  test('text stays text', () => {
    expect(configFromProcess(['--data', '17'], {}).data).toBe('17')
    expect(configFromProcess(['--data=--odd'], {}).data).toBe('--odd')
  })
})

describe('OPTION_INVALID names the option as it was given, the value and what was expected', () => {
  test.each<[string[], NodeJS.ProcessEnv, string]>([
    [['--port', 'abc'], {}, "--port is 'abc': expected an integer from 0 to 65535"],
    [['--port', '65536'], {}, '--port is 65536: expected an integer from 0 to 65535'],
    [['--port', '-1'], {}, '--port is -1: expected an integer from 0 to 65535'],
    [['--port', '80.5'], {}, '--port is 80.5: expected an integer from 0 to 65535'],
    [['--port', '0x50'], {}, "--port is '0x50': expected an integer from 0 to 65535"],
    [['--port', ''], {}, "--port is '': expected an integer from 0 to 65535"],
    [['--port'], {}, '--port has no value: expected an integer from 0 to 65535'],
    [['--port', '--host'], {}, '--port has no value: expected an integer from 0 to 65535'],
    [
      [],
      { COEDIT_PORT: 'tcp://10.0.0.1:80' },
      "COEDIT_PORT is 'tcp://10.0.0.1:80': expected an integer from 0 to 65535",
    ],
    [['--max-gather-ms', '1001'], {}, '--max-gather-ms is 1001: expected a number from 0 to 1000'],
    [['--log-level', 'loud'], {}, "--log-level is 'loud': expected one of silent, error, warn, info, debug"],
    [['--insecure-no-auth=maybe'], {}, "--insecure-no-auth is 'maybe': expected true or false"],
    [['--data', ''], {}, "--data is '': expected a path"],
    [['--no-such-thing'], {}, 'unknown option --no-such-thing'],
    [['-p', '80'], {}, 'unknown option -p'],
    [['start'], {}, "unexpected argument 'start'"],
    [['--'], {}, "unexpected argument '--'"],
  ])('%j with %j', (argv, env, message) => {
    expect(refusal(() => configFromProcess(argv, env))).toEqual(['OPTION_INVALID', message])
  })

  test('in process', () => {
    expect(refusal(() => parseOptions({ chunkBytes: 1 }))).toEqual([
      'OPTION_INVALID',
      'option chunkBytes is 1: expected an integer from 1024 to 16777216',
    ])
    const misspelt: object = { prot: 80 }
    expect(refusal(() => parseOptions(misspelt))).toEqual(['OPTION_INVALID', 'unknown option prot'])
  })

  test.each(['/', '/coedit/', 'coedit', '/a//b', '/..', '/a/../b', '/a b', '/a?b', '/:a', '/*'])(
    'base path %s',
    (path) => {
      expect(refusal(() => parseOptions({ basePath: path }))[0]).toBe('OPTION_INVALID')
    },
  )

  test.each(['', '/coedit', '/team/co-edit.v2', '/..a'])('but base path "%s" is taken', (path) => {
    expect(parseOptions({ basePath: path }).basePath).toBe(path)
  })
})

describe('the database', () => {
  const url = 'postgres://me@host/name'
  const of = (argv: string[], env: NodeJS.ProcessEnv) => configFromProcess(argv, env).database

  test('may be that of DATABASE_URL, where our own variables and flags say nothing else', () => {
    expect(of([], { DATABASE_URL: url })).toBe(url)
    expect(of([], { DATABASE_URL: url, COEDIT_DATABASE: 'postgres://mine' })).toBe('postgres://mine')
    expect(of(['--database', 'postgres://'], { DATABASE_URL: url })).toBe('postgres://')
    expect(of(['--data', 'here'], { DATABASE_URL: url })).toBe('')
    expect(of([], { DATABASE_URL: url, COEDIT_DATA: 'here' })).toBe('')
  })

  test.each(['', 'mysql://host/name', 'sqlite:file'])("DATABASE_URL '%s' is meant for others", (other) => {
    expect(of([], { DATABASE_URL: other })).toBe('')
  })

  test('is no secret that an error shows', () => {
    const message = '--database is invalid: expected nothing or a URL such as postgres://user@host:5432/name'
    expect(refusal(() => configFromProcess(['--database', 'mysql://me:secret@host'], {}))).toEqual([
      'OPTION_INVALID',
      message,
    ])
  })

  test.each([
    [{ databaseDirect: url }, 'expected database, too'],
    [{ database: url, maxNameBytes: 4096 }, 'maxNameBytes is 4096: expected at most 2600'],
  ])('%j is refused', (options, message) => {
    expect(refusal(() => parseOptions(options))).toEqual(['OPTION_INVALID', expect.stringContaining(message)])
  })
})

describe('HOST_NEEDS_AUTH', () => {
  test.each(['0.0.0.0', '::', '192.168.1.1', 'example.com', '127.evil.com', 'localhost.evil.com'])(
    '%s is refused',
    (host) => {
      expect(refusal(() => parseOptions({ host }))).toEqual(['HOST_NEEDS_AUTH', expect.stringContaining(host)])
      expect(parseOptions({ host, insecureNoAuth: true }).host).toBe(host)
    },
  )

  test.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])('%s is taken', (host) => {
    expect(parseOptions({ host }).host).toBe(host)
  })
})

describe('options of authentication', () => {
  const secret = 'x'.repeat(32)
  const url = 'https://id.example/keys'

  test.each([
    [{ authSecret: 'x'.repeat(31) }, 'option authSecret is invalid: expected nothing or at least 32 bytes'],
    [{ authJwksUrl: 'http://id.example/keys' }, 'option authJwksUrl is invalid: expected nothing or an https URL'],
    [{ authJwksUrl: 'id.example' }, 'option authJwksUrl is invalid'],
    [{ authSecret: secret, authCookie: 'a=b' }, "option authCookie is 'a=b'"],
    [{ authSecret: secret, authJwksUrl: url }, 'authSecret and authJwksUrl are given: expected only one key'],
    [{ authSecret: secret, authPublicKey: 'key.pem' }, 'authSecret and authPublicKey are given'],
    [{ authIssuer: 'https://id.example' }, 'authIssuer would check nothing'],
    [{ authAudience: 'coedit', authCookie: 'a' }, 'authAudience and authCookie would check nothing'],
    [{ authSecret: secret, authCookie: 'a', allowedOrigins: '*' }, 'authCookie would let every page use'],
    [{ allowedOrigins: 'https://a.example/' }, "option allowedOrigins is 'https://a.example/'"],
    [{ allowedOrigins: 'a.example' }, "option allowedOrigins is 'a.example'"],
    [{ allowedOrigins: 'https://a.example,*' }, "option allowedOrigins is 'https://a.example,*'"],
    [{ allowedOrigins: 'null,*' }, "option allowedOrigins is 'null,*'"],
    [{ allowedOrigins: 'capacitor://localhost/' }, "option allowedOrigins is 'capacitor://localhost/'"],
    [{ allowedOrigins: 'chrome-extension://' }, "option allowedOrigins is 'chrome-extension://'"],
    [{ allowedOrigins: 'https://' }, "option allowedOrigins is 'https://'"],
    [{ allowedOrigins: 'mailto:ada@a.example' }, "option allowedOrigins is 'mailto:ada@a.example'"],
    [{ allowedOrigins: 'blob:https://a.example' }, "option allowedOrigins is 'blob:https://a.example'"],
    [{ publicOrigin: 'https://a.example/' }, "option publicOrigin is 'https://a.example/'"],
    [{ publicOrigin: 'capacitor://localhost' }, "option publicOrigin is 'capacitor://localhost'"],
    [{ publicOrigin: '*' }, "option publicOrigin is '*'"],
  ])('%j is refused', (options, message) => {
    expect(refusal(() => parseOptions(options))).toEqual(['OPTION_INVALID', expect.stringContaining(message)])
  })

  test.each([
    { authSecret: secret },
    { authSecret: 'ü'.repeat(16) },
    { authPublicKey: 'key.pem', authIssuer: 'https://id.example' },
    { authJwksUrl: url, authAudience: 'coedit' },
    { authJwksUrl: 'http://127.0.0.1:80/keys', authCookie: '__Host-session' },
    { allowedOrigins: '*' },
    { authSecret: secret, allowedOrigins: '*' },
    { authSecret: secret, authCookie: 'a', allowedOrigins: 'https://a.example' },
    { allowedOrigins: 'https://a.example, http://b.example:8080' },
    { authSecret: secret, authCookie: 'a', allowedOrigins: 'capacitor://localhost, tauri://localhost' },
    { authSecret: secret, authCookie: 'a', allowedOrigins: 'chrome-extension://abcdefghijklmnopabcdefghijklmnop' },
    { authSecret: secret, authCookie: 'a', allowedOrigins: 'app://obsidian.md,null, file://' },
    { publicOrigin: 'https://a.example:8443' },
  ])('%j is taken', (options) => {
    expect(parseOptions(options)).toMatchObject(options)
  })

  test('make a public host safe, as a function of the app does', () => {
    expect(parseOptions({ host: '0.0.0.0', authSecret: secret }).host).toBe('0.0.0.0')
    expect(parseOptions({ host: '0.0.0.0' }, true).host).toBe('0.0.0.0')
    expect(refusal(() => parseOptions({ host: '0.0.0.0', allowedOrigins: '*' }))[0]).toBe('HOST_NEEDS_AUTH')
  })
})

describe('what is made from the declaration', () => {
  test('every option has a description, and --help names each with its variable', () => {
    const help = helpText()
    for (const { flag, variable, description } of optionFacts) {
      expect(description).toMatch(/^[A-Z].*\.$/)
      expect(help).toContain(`\n  ${flag}`)
      expect(help).toContain(variable)
    }
    expect(help).toMatch(/default 67108864 \(64 MiB\)/)
    expect(Math.max(...help.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
  })

  test('descriptions refer to options that exist', () => {
    const names = optionFacts.map((facts) => facts.name)
    const references = optionFacts.flatMap((facts) =>
      [...facts.description.matchAll(/`(\w+)`/g)].map((match) => match[1]),
    )
    expect(references.length).toBeGreaterThan(0)
    for (const reference of references) expect(names).toContain(reference)
  })

  test.each(['server/README.md', 'server/PROTOCOL.md'] as const)(
    '%s: its tables are up to date (npm run docs)',
    async (name) => {
      const { text, expected } = await withTables(name)
      expect(text).toBe(expected)
    },
  )

  test('every close code and HTTP status that there is is documented', async () => {
    const [readme, protocol] = await Promise.all([paper('server/README.md'), paper('server/PROTOCOL.md')])
    const closes = [...Object.values(CLOSE).map(({ code }) => code), ...Object.values(ERRORS).map(({ close }) => close)]
    for (const close of closes) {
      if (close === undefined) continue
      expect(protocol).toContain(`\n| ${close} |`)
      expect(readme).toContain(`\n| ${close} |`)
    }
    for (const [code, { status }] of Object.entries(ERRORS)) {
      if (status !== undefined) expect(readme).toContain(`\n| ${status} | \`${code}\` |`)
    }
  })
})
