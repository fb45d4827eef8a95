globalThis.required = [require('@coedit/client'), require('@coedit/client/element'), require('yjs')]
