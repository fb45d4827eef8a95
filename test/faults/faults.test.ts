import { FAULTS_OF_ONE } from './all.ts'
import { testFaults } from './trials.ts'

testFaults(FAULTS_OF_ONE)
