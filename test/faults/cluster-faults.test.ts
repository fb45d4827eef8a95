import { FAULTS_OF_SEVERAL } from './all.ts'
import { testFaults } from './trials.ts'

testFaults(FAULTS_OF_SEVERAL)
