package dev.reckoner.evaluation;

/**
 * One answer, graded.
 *
 * @param problem id of the problem
 * @param group what is drawn together by the bootstrap, see {@code Problem.group}
 * @param slice the data set or question family it belongs to
 * @param answer as the chain concludes; empty without a chain
 * @param expected the gold answer
 * @param answerable false where the right answer is that the evidence does not say
 * @param correct the answer equals the gold answer, see {@link Grader}
 * @param abstained the chain says that the evidence does not state it
 * @param scaleSlip wrong, but only by a power of ten
 * @param verified the chain concludes and every step passed
 * @param cited figures cited from the evidence
 * @param grounded those of them that are where the chain says
 * @param figures steps that state a figure: cited and computed ones
 * @param wrongFigures those of them that failed verification
 * @param unitErrors steps whose unit or scale is wrong
 * @param wrongArithmetic steps that compute something else than they say
 * @param goldSteps steps of the gold chain that cite or compute; 0 where none is known
 * @param goldStepsFound those of them that the chain has as well, see {@link Derivation}
 * @param programRight whether the chain concludes what the gold chain does, whatever the figures
 * @param confidence 0..1
 * @param certainty what the confidence was made of, see {@code Generation.certainty}, 0..1
 * @param tokens generated
 * @param seconds in the model
 * @param failure why there is no chain; {@code null} where there is one
 */
public record Grade(
    String problem,
    String group,
    String slice,
    String answer,
    String expected,
    boolean answerable,
    boolean correct,
    boolean abstained,
    boolean scaleSlip,
    boolean verified,
    int cited,
    int grounded,
    int figures,
    int wrongFigures,
    int unitErrors,
    int wrongArithmetic,
    int goldSteps,
    int goldStepsFound,
    boolean programRight,
    double confidence,
    double certainty,
    int tokens,
    double seconds,
    String failure) {

  /** The same grade with another confidence. */
  Grade confident(double other) {
    return new Grade(
        problem,
        group,
        slice,
        answer,
        expected,
        answerable,
        correct,
        abstained,
        scaleSlip,
        verified,
        cited,
        grounded,
        figures,
        wrongFigures,
        unitErrors,
        wrongArithmetic,
        goldSteps,
        goldStepsFound,
        programRight,
        other,
        certainty,
        tokens,
        seconds,
        failure);
  }
}
